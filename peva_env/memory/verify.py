"""Recomputing every column of a memory that follows from others, and reporting where the stored value differs.

Verdicts are recomputed by ``peva_env.rules.judge`` with the rules of the session's own context. INVALID verdicts are
not recomputed: most of their causes, such as a failed k6, leave no data to compute them from.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from peva_env.contracts import ExecutionEvent
from peva_env.memory.contexts import earlier_hashes, possible_hashes
from peva_env.memory.event_rows import stream_events
from peva_env.memory.importing import RECORDED_AS
from peva_env.memory.session_rules import SessionRules, session_rules
from peva_env.memory.verify_queries import CHECKS, GAPS, UNREADABLE, failing
from peva_env.rules import COUNTS, IN_DOUBT, NOT_MEASURED, Judgement, apply_rules, judge_stored


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A stored value that differs from its recomputed value, both as text; ``key`` is the row's primary key."""

    table: str
    key: str
    column: str
    stored: str
    recomputed: str


def verify(connection: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    """Yield every discrepancy between stored and recomputed values. The cost is linear in the number of events."""
    for query in failing(connection, CHECKS):
        yield from _found(connection, query)
    present = earlier_hashes(connection)
    yield from _found(connection, GAPS, {"stored": list(present), "present": list(present.values())})
    yield from _contexts(connection)
    yield from _verdicts(connection)


def _found(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, list[str]] | None = None
) -> Iterator[Discrepancy]:
    for row in connection.execute(query, values).fetchall():
        yield Discrepancy(*map(str, row))


def _contexts(connection: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    sessions = connection.execute("SELECT run_id, context_hash, context_json FROM run_sessions ORDER BY 1").fetchall()
    for run_id, stored, text in sessions:
        try:
            possible = possible_hashes(json.loads(text))
        except (AttributeError, TypeError, ValueError, RecursionError):
            yield Discrepancy("run_sessions", run_id, "context_json", str(text), "JSON")
            continue
        if stored not in possible:
            yield Discrepancy("run_sessions", run_id, "context_hash", str(stored), possible[0])


def _verdicts(connection: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    rules = session_rules(connection)
    valid = (
        "kind = 'measured' AND verdict <> 'INVALID' AND len(function_names) = len(offered) "
        f"AND verdict IN ('OK', 'OVERLOADED') AND NOT ({UNREADABLE})"
    )
    for event in stream_events(connection, valid):
        if event.run_id in rules:
            yield from _judged_anew(event, rules[event.run_id])


def _judged_anew(event: ExecutionEvent, rules: SessionRules) -> Iterator[Discrepancy]:
    judgement = judge_stored(event, *rules)
    found = list(_differences(event, judgement))
    is_measured = not any(reason.endswith(NOT_MEASURED) for reason in judgement.reasons)
    # Earlier releases applied the rules alone: they did not ask whether another cause than load explains the failures.
    if found and is_measured:
        found = found if list(_differences(event, apply_rules(event.functions, event.node, rules.overload))) else []
    yield from found


def _differences(event: ExecutionEvent, judgement: Judgement) -> Iterator[Discrepancy]:
    compared: dict[str, tuple[Any, Any]] = {
        "verdict": (event.verdict, judgement.verdict),
        "reasons": _alike_reasons(event.reasons, judgement.reasons),
        "overloaded_functions": (event.overloaded_functions, judgement.overloaded_functions),
    }
    if not _alike(event.margin, judgement.margin):
        compared["margin"] = (event.margin, judgement.margin)
    for column, (stored, recomputed) in compared.items():
        if stored != recomputed:
            yield Discrepancy("execution_events", _key(event), column, _text(stored), _text(recomputed))


def _alike(stored: float | None, recomputed: float | None) -> bool:
    if stored is None or recomputed is None:
        return stored is recomputed
    return math.isclose(stored, recomputed, abs_tol=1e-9)


def _alike_reasons(stored: Sequence[str], recomputed: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return both without the counts of failures, which earlier versions did not write, and what no rule says."""
    own = tuple(reason.partition(COUNTS)[0] for reason in stored if not reason.startswith((RECORDED_AS, IN_DOUBT)))
    return own, tuple(reason.partition(COUNTS)[0] for reason in recomputed)


def _key(event: ExecutionEvent) -> str:
    return "/".join(map(str, event.event_key))


def _text(value: object) -> str:
    return "; ".join(value) if isinstance(value, tuple) else str(value)
