"""Memories of a small node with two functions."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from peva_env.contracts import NOT_RUN, EndStatus, ExecutionEvent, Verdict
from peva_env.memory import DuckDBMemoryStore
from peva_env.space import Config
from tests.support.builders import event, session

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
