"""Memories and maps for the tests of reports."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.frontier import MonotoneMap
from peva_env.maps import NodeMap
from peva_env.memory.store import DuckDBMemoryStore, Session
from peva_env.rate_grid import Dominance
from peva_env.records import NodeMeasurement
from peva_env.space import Config, ConfigSpace
from peva_env.verdict import majority
from tests.builders import event, function

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


def runs(config: Config, verdict: Verdict, n: int = 1, **values: Any) -> list[ExecutionEvent]:
    """Return runs of a configuration that say the same."""
    success = {Verdict.OK: 0.99, Verdict.OVERLOADED: 0.5}.get(verdict)
    functions = tuple(function(name, rate, success_rate=success, p50_ms=20.0, p95_ms=55.0) for name, rate in config)
    plain: dict[str, Any] = {
        "functions": functions if success else (),
        "node": NodeMeasurement(cpu_pct=42.0, ram_pct=30.0),
        "margin": None if success is None else round(success / 0.95 - 1, 4),
        "reasons": {Verdict.OVERLOADED: ("mean success 0.500 < 0.95",), Verdict.INVALID: ("k6 failed",)}.get(
            verdict, ()
        ),
        "duration_s": 30.0,
        "cooldown_s": 2.0,
        "cost_s": 32.5,
    }
    return [event(config, iteration, verdict, **(plain | values)) for iteration in range(n)]


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
