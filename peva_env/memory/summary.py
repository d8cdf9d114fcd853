"""Counts of a memory: its campaigns, contexts, configurations and events."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb

from peva_env.config import AskedRules, OverloadConfig, changed_rules
from peva_env.contracts import EventKind
from peva_env.memory.contexts import node_name, show_as_read
from peva_env.memory.event_rows import stream_events
from peva_env.memory.fleet_names import fleet_node
from peva_env.memory.schema import ENDED_AT
from peva_env.memory.session_rules import SessionRules, session_rules
from peva_env.rules import judge_again


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """One campaign; times are seconds since the epoch, ``ended_at`` None while it runs or if it was killed.

    ``detail`` says why it ended, None while it runs; see ``peva_env.records.EndReason``.
    """

    run_id: str
    status: str
    agent: str | None
    repetition: int
    context_hash: str
    started_at: float
    ended_at: float | None
    n_runs: int
    detail: str | None


@dataclass(frozen=True, slots=True)
class ContextSummary:
    """One context: its node, its functions, and the number of configurations and events."""

    context_hash: str
    node: str
    functions: list[str]
    n_configs: int
    n_runs: int
    n_skipped: int
    n_inferred: int


@dataclass(frozen=True, slots=True)
class EventCount:
    """The number of events of one kind and verdict."""

    kind: str
    verdict: str
    n: int


@dataclass(frozen=True, slots=True)
class MemorySummary:
    """The counts of a whole memory."""

    schema_version: str
    n_configs: int
    campaigns: list[CampaignSummary]
    contexts: list[ContextSummary]
    events: list[EventCount]


def summarize_memory(connection: duckdb.DuckDBPyConnection, rules: AskedRules = None) -> MemorySummary:
    """Count the campaigns, contexts, configurations and events of a memory.

    Args:
        connection: the memory.
        rules: overload rules to judge the runs by, or what differs from the rules of each campaign; None for the stored
            verdicts.

    Raises:
        ConfigError: a rule is wrong.
    """
    show_as_read(connection)
    campaigns = connection.execute(
        "SELECT s.run_id, s.status, s.agent, s.repetition, s.context_hash, s.started_at, "  # noqa: S608
        f"{ENDED_AT}, count(e.run_id) FILTER (kind = 'measured'), s.detail "
        "FROM run_sessions s LEFT JOIN execution_events e USING (run_id) "
        "GROUP BY ALL ORDER BY s.started_at, s.run_id"
    ).fetchall()
    counts = _counts(connection)
    if rules is not None:
        counts = [count for count in counts if count.kind != EventKind.MEASURED] + _judged_counts(connection, rules)
    return MemorySummary(
        schema_version=str(_one(connection, "SELECT schema_version FROM memory_schema_meta")),
        n_configs=int(_one(connection, "SELECT count(*) FROM config_catalog")),
        campaigns=[CampaignSummary(*row) for row in campaigns],
        contexts=_contexts(connection),
        events=sorted(counts, key=lambda count: (count.kind, count.verdict)),
    )


def _counts(connection: duckdb.DuckDBPyConnection) -> list[EventCount]:
    query = "SELECT kind, verdict, count(*) FROM execution_events GROUP BY ALL"
    return [EventCount(*row) for row in connection.execute(query).fetchall()]


def _judged_counts(connection: duckdb.DuckDBPyConnection, asked: AskedRules) -> list[EventCount]:
    """Count the verdicts that the measured runs have by the rules in question."""
    sessions = session_rules(connection)
    unknown = SessionRules(OverloadConfig(), math.nan)
    rules: dict[int, OverloadConfig] = {}  # campaigns share few rules
    verdicts: Counter[str] = Counter()
    for event in stream_events(connection, f"kind = '{EventKind.MEASURED}'"):
        own = sessions.get(event.run_id, unknown)
        if id(own) not in rules:
            rules[id(own)] = changed_rules(own.overload, asked)
        verdicts[judge_again(event, rules[id(own)], own.duration_s).verdict] += 1
    return [EventCount(EventKind.MEASURED, verdict, n) for verdict, n in verdicts.items()]


def _contexts(connection: duckdb.DuckDBPyConnection) -> list[ContextSummary]:
    rows = connection.execute(
        "SELECT context_hash, any_value(context_json), any_value(last_run_id), "
        "count(DISTINCT config_id) FILTER (kind <> 'scouted'), "
        "count(*) FILTER (kind = 'measured'), count(*) FILTER (kind = 'skipped'), count(*) FILTER (kind = 'inferred') "
        "FROM execution_events LEFT JOIN (SELECT context_hash, any_value(context_json) AS context_json, "
        "max_by(run_id, started_at) AS last_run_id FROM run_sessions GROUP BY 1) USING (context_hash) "
        "GROUP BY 1 ORDER BY 5 DESC, 1"
    ).fetchall()
    return [ContextSummary(row[0], *_described(row[1], row[2]), *row[3:]) for row in rows]


def _described(context_json: str | None, run_id: str | None) -> tuple[str, list[str]]:
    """Return the node's name and the functions of a context, ``?`` and none if it lacks them."""
    in_fleet = fleet_node(run_id or "")
    try:
        context: Any = json.loads(context_json or "{}")
        return in_fleet or node_name(context) or "?", sorted(context.get("functions", {}))
    except (ValueError, AttributeError, RecursionError):
        return in_fleet or "?", []


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
