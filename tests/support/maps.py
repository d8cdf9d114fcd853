"""Memories of a small node with two functions."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from peva_env.config import OverloadConfig
from peva_env.contracts import NOT_RUN, EndStatus, ExecutionEvent, Verdict
from peva_env.memory import DuckDBMemoryStore, Session, context_hash
from peva_env.space import Config
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
    context_hash: str = "ctx",
    run_id: str = "run",
    repetition: int = 1,
) -> Path:
    store = DuckDBMemoryStore(path)
    store.startup()
    store.open_session(session(run_id, repetition=repetition, context_hash=context_hash))
    store.insert_events(
        [replace(one, context_hash=context_hash, run_id=run_id, repetition=repetition) for one in events]
    )
    if status is not EndStatus.RUNNING:
        store.close_session(run_id, status)
    store.close()
    return path


def square(limit: int) -> list[ExecutionEvent]:
    """All nine mixes of two functions, OK up to a total rate."""
    return [event(pair(a, b), verdict=OK if a + b <= limit else OVERLOADED) for a in RATES for b in RATES]


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


def remember_latencies(path: Path) -> Path:
    """A memory of ``latency_runs``."""
    store = DuckDBMemoryStore(path)
    store.startup()
    of = context_hash(LATENCY_CONTEXT)
    store.open_session(Session(f"slow-{of}", 1, of, LATENCY_CONTEXT))
    store.insert_events(latency_runs(of))
    store.close_session(f"slow-{of}", EndStatus.COMPLETE)
    store.close()
    return path
