"""Memories and maps for the tests of reports."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.maps import NodeMap
from peva_env.memory import DuckDBMemoryStore, Session
from peva_env.records import NodeMeasurement
from peva_env.rules import majority
from peva_env.space import Config, ConfigSpace, Dominance
from tests.support.builders import event, function

CONTEXT = {
    "node": {"name": "node-7"},
    "functions": {"a": {"method": "GET"}},
    "duration_s": 30.0,
    "timeout_s": 5.0,
    "overload": {"success_rate_node_min": 0.95, "cpu_overload_pct_of_capacity": 80.0},
}


def overloaded_from(limit_rps: int) -> Callable[[Config], Verdict]:
    """Return a node that is overloaded from a total rate on."""
    return lambda config: Verdict.OVERLOADED if sum(rate for _, rate in config) >= limit_rps else Verdict.OK


def runs(config: Config, verdict: Verdict, n: int = 1, *, first: int = 0, **values: Any) -> list[ExecutionEvent]:
    """Return runs of a configuration that say the same, from the iteration ``first`` on; no two measure the same."""
    return [_run(config, verdict, iteration, values) for iteration in range(first, first + n)]


def success_rate(verdict: Verdict, iteration: int, place: int) -> float:
    """Return the success of the function that is at a place in a configuration."""
    return {Verdict.OK: 0.99, Verdict.OVERLOADED: 0.5}[verdict] - 0.002 * iteration - 0.004 * place


def _run(config: Config, verdict: Verdict, i: int, values: Mapping[str, Any]) -> ExecutionEvent:
    total, is_valid = sum(rate for _, rate in config), verdict is not Verdict.INVALID
    functions = tuple(
        function(
            name,
            rate,
            offered=2 * rate + i if rate else 0,
            dropped=i + 3 * place,
            success_rate=success_rate(verdict, i, place),
            p50_ms=20.0 + total / 10 + i + 3 * place,
            p95_ms=55.0 + total / 10 + 2 * i + 7 * place,
            cpu_pct=5.0 + total / 10 + 0.3 * i + 2 * place,
            replicas=1 + i + 4 * place,
        )
        for place, (name, rate) in enumerate(config)
        if is_valid
    )
    reasons = {Verdict.OVERLOADED: (f"mean success 0.{500 - i} < 0.95",), Verdict.INVALID: ("k6 failed",)}
    plain: dict[str, Any] = {
        "functions": functions,
        "node": NodeMeasurement(cpu_pct=42.0 + total / 10 + 1.4 * i, ram_pct=30.0 + total / 20 + 0.4 * i),
        "margin": round(success_rate(verdict, i, 0) / 0.95 - 1, 4) if is_valid else None,
        "reasons": reasons.get(verdict, ()),
        "duration_s": 30.0 + i,
        "cooldown_s": 2.0 + 0.2 * i,
        "cost_s": 32.5 + 1.6 * i,
    }
    made: ExecutionEvent = event(config, i, verdict, **(plain | dict(values)))
    return made


def in_order(events: Iterable[ExecutionEvent]) -> tuple[ExecutionEvent, ...]:
    """Let runs begin one after the other, 40 s each."""
    return tuple(
        replace(one, started_at=1.76e9 + 40 * i, ended_at=1.76e9 + 40 * i + 33) for i, one in enumerate(events)
    )


def node_map(
    space: ConfigSpace, events: Iterable[ExecutionEvent], *, dominance: Dominance = "within_sets", **values: Any
) -> NodeMap:
    """Return the map of a space as these runs tell it."""
    ordered = in_order(events)
    known = MonotoneMap(space, dominance=dominance)
    plain: dict[str, Any] = {"memory": "/somewhere/m.duckdb", "context_hash": "c0ffee", "context": CONTEXT}
    made = NodeMap(**(plain | {"repetition": 1, "campaigns": (), "known": known, "events": ordered} | values))
    known.update_all({key: majority(run.verdict for run in same) for key, same in made.runs.items()})
    return made


def remember(
    path: Path,
    events: Iterable[ExecutionEvent],
    *,
    context_hash: str = "c0ffee",
    status: EndStatus = EndStatus.COMPLETE,
) -> Path:
    """Write a memory in which one campaign of a context made these runs."""
    store, run_id = DuckDBMemoryStore(path), f"run-{context_hash}"
    store.startup()
    store.open_session(Session(run_id, 1, context_hash, CONTEXT, seed=7, k6_version="1.1.0", package_version="0.1.0"))
    store.insert_events([replace(one, context_hash=context_hash, run_id=run_id) for one in in_order(events)])
    if status is not EndStatus.RUNNING:
        store.close_session(run_id, status)
    store.close()
    return path
