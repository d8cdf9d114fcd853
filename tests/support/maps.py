"""Memories of a small node with two functions."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from peva_env.config import OverloadConfig
from peva_env.contracts import NOT_RUN, EndStatus, ExecutionEvent, Verdict
from peva_env.maps import NodeMap, valid_runs
from peva_env.maps.map_of_runs import map_of_runs
from peva_env.memory import DuckDBMemoryStore, Session, context_hash
from peva_env.space import Config, ConfigSpace, Dominance, config_pairs
from tests.support.builders import event, function, session

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED


RATES = (10, 20, 30)


def pair(a: int, b: int) -> Config:
    return [("a", a), ("b", b)]


def not_run(config: Config, verdict: Verdict) -> ExecutionEvent:
    made: ExecutionEvent = event(config, NOT_RUN[verdict].iteration, verdict, kind=NOT_RUN[verdict].kind, functions=())
    return made


def remember(
    path: Path,
    events: Iterable[ExecutionEvent],
    *,
    status: EndStatus = EndStatus.COMPLETE,
    detail: str | None = None,
    context_hash: str = "ctx",
    run_id: str = "run",
    repetition: int = 1,
    agent: str | None = None,
) -> Path:
    store = DuckDBMemoryStore(path)
    store.startup()
    store.open_session(session(run_id, repetition=repetition, context_hash=context_hash))
    store.insert_events(
        [replace(one, context_hash=context_hash, run_id=run_id, repetition=repetition) for one in events]
    )
    if agent:
        store.name_agent(run_id, agent)
    if status is not EndStatus.RUNNING:
        store.close_session(run_id, status, detail)
    store.close()
    return path


def square(limit: int) -> list[ExecutionEvent]:
    """All nine mixes of two functions, OK up to a total rate, with margins that leave no doubt."""
    return [clear_run(pair(a, b), OK if a + b <= limit else OVERLOADED) for a in RATES for b in RATES]


def clear_run(config: Config, verdict: Verdict, iteration: int = 0, *, margin: float = 0.2) -> ExecutionEvent:
    """A run with a margin of some size, on the side of its verdict."""
    made: ExecutionEvent = event(config, iteration, verdict, margin=margin if verdict is OK else -margin)
    return made


LATENCY_CONTEXT = {
    "node": {"name": "n"},
    "functions": {"a": {}, "b": {}},
    "duration_s": 2.0,
    "overload": OverloadConfig().as_context(),
}


def latency_runs(context_hash: str, *, slower_by_ms: float = 0.0) -> list[ExecutionEvent]:
    """All nine mixes of two functions, OK by the default rules, with a p95 latency of 2 ms for each request/s."""
    return [
        event(
            pair(a, b),
            run_id=f"slow-{context_hash}",
            context_hash=context_hash,
            functions=tuple(function(name, rate, p95_ms=2.0 * (a + b) + slower_by_ms) for name, rate in pair(a, b)),
        )
        for a, b in itertools.product(RATES, RATES)
    ]


def remember_in(path: Path, context: Mapping[str, Any], events: Iterable[ExecutionEvent]) -> Path:
    """A memory of one complete campaign in a context with rules, duration and functions."""
    store = DuckDBMemoryStore(path)
    store.startup()
    of = context_hash(context)
    store.open_session(Session(f"run-{of}", 1, of, context))
    store.insert_events([replace(one, context_hash=of, run_id=f"run-{of}") for one in events])
    store.close_session(f"run-{of}", EndStatus.COMPLETE)
    store.close()
    return path


def node_map_of(
    events: Iterable[ExecutionEvent],
    dominance: Dominance = "within_sets",
    context: Mapping[str, Any] | None = None,
    space: ConfigSpace | None = None,
) -> NodeMap:
    """Return the map of some runs, without a memory; its space is that of their rates and sets of functions."""
    runs = tuple(events)
    keys = {run.config_key for run in runs}
    if space is None:
        rates = {
            name: {dict(config_pairs(key))[name] for key in keys if name in key[0]} for key in keys for name in key[0]
        }
        sizes = [len(names) for names, _ in keys]
        space = ConfigSpace(rates, min_functions=min(sizes), max_functions=max(sizes) + 1)
    counted = np.array([tuple(name for name, _ in one) in {names for names, _ in keys} for one in space], np.bool_)
    known = map_of_runs(space, valid_runs(runs), dominance, counted)
    return NodeMap("m.duckdb", "ctx", context or {}, 1, (), known, runs)


def remember_latencies(path: Path) -> Path:
    """A memory of ``latency_runs``."""
    return remember_in(path, LATENCY_CONTEXT, latency_runs(context_hash(LATENCY_CONTEXT)))
