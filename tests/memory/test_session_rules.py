"""Rules are not context: campaigns under other rules share what was measured, and each judges it by its own."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peva_env.campaign.canary import Canary
from peva_env.config import CanaryConfig, OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.memory import DuckDBMemoryStore, Session, context_hash, reading, session_rules, show_as_read, verify
from peva_env.memory.suspects import mark
from peva_env.rules import judge_again
from tests.support.builders import event, function
from tests.support.earlier_release import store_as_earlier_release
from tests.support.engines import make_engine

_CONTEXT: dict[str, Any] = {"node": {"name": "n"}, "functions": {"a": {}}, "duration_s": 2.0}
_DEFAULT, _STRICT = OverloadConfig(), OverloadConfig(p95_ms_max=200)


def _session(run_id: str, rules: OverloadConfig, **context: Any) -> Session:
    whole = {**_CONTEXT, **context, "overload": rules.as_context()}
    return Session(run_id, 1, context_hash(whole), whole)


def _slow_run(of: Session, rate_rps: int = 10, **values: Any) -> ExecutionEvent:
    slow = function("a", rate_rps, p95_ms=250.0)
    plain: dict[str, Any] = {"run_id": of.run_id, "context_hash": of.context_hash, "functions": (slow,), "margin": 0.05}
    made: ExecutionEvent = event([("a", rate_rps)], **(plain | values))
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a memory with one run under the default rules, of 250 ms, and a configuration that was inferred OK."""
    before = _session("before", _DEFAULT)
    store = DuckDBMemoryStore(tmp_path / "m.duckdb")
    store.startup()
    store.open_session(before)
    inferred = _slow_run(before, 5, iteration=-2, kind=EventKind.INFERRED, functions=(), margin=None)
    store.insert_events([_slow_run(before), inferred])
    store.close()
    return tmp_path / "m.duckdb"


def test_rules_leave_a_context_as_it_is_and_nothing_else_does() -> None:
    one, other = _session("x", _DEFAULT), _session("y", _STRICT)

    assert one.context_hash == other.context_hash
    assert _session("z", _DEFAULT, timeout_s=3.0).context_hash != one.context_hash


@pytest.mark.parametrize("written_by", ["this release", "the last release"])
def test_a_campaign_with_other_rules_goes_on_from_what_was_measured(path: Path, written_by: str) -> None:
    if written_by == "the last release":
        store_as_earlier_release(path)
    engine = make_engine(DuckDBMemoryStore(path))
    engine.startup()
    strict = _session("strict", _STRICT)

    history = engine.open_session(strict)

    assert [(run.verdict, run.reasons) for run in history] == [
        (Verdict.OVERLOADED, ("p95 latency of a 250.0 ms > 200 ms",))
    ]
    assert engine.judged_anew == {(("a",), (10,))}
    assert engine.tensors.labels.tolist() == [1]
    assert engine.is_seen((("a",), (10,)))
    assert [stored.verdict for stored in engine.stored_history] == [Verdict.OK, Verdict.OK]
    assert {run.context_hash for run in (*history, *engine.stored_history)} == {strict.context_hash}
    assert engine.store.last_repetition(strict.context_hash) == 1
    engine.close()


@pytest.mark.parametrize(
    ("before", "now", "first_ms", "canary_ms", "expected"),
    [
        (_DEFAULT, _STRICT, 100.0, 250.0, Verdict.OVERLOADED),  # it was OK, and is not by these rules
        (_DEFAULT, _STRICT, 100.0, 150.0, Verdict.OK),
        (_DEFAULT, _STRICT, 250.0, 300.0, Verdict.INVALID),  # it never was OK by these rules: no canary
        (_DEFAULT, _STRICT, 250.0, 100.0, Verdict.OK),
        (_STRICT, _DEFAULT, 100.0, 250.0, Verdict.OK),
        (_STRICT, _STRICT, 100.0, 250.0, Verdict.OVERLOADED),
    ],
)
def test_a_canary_is_judged_anew_by_other_rules(
    tmp_path: Path, before: OverloadConfig, now: OverloadConfig, first_ms: float, canary_ms: float, expected: Verdict
) -> None:
    started = _session("before", before)
    events = [
        judge_again(_run(started, rate, p95_ms, at), before, 2.0)
        for rate, p95_ms, at in ((10, first_ms, 1000.0), (20, 120.0, 1010.0), (10, canary_ms, 1020.0))
    ]
    events[-1] = replace(events[-1], kind=EventKind.CANARY, iteration=1)
    with closing(DuckDBMemoryStore(tmp_path / "m.duckdb")) as store:
        store.startup()
        store.open_session(started)
        store.insert_events(events)
    engine = make_engine(DuckDBMemoryStore(tmp_path / "m.duckdb"))
    engine.startup()
    history = engine.open_session(_session("now", now))
    engine.close()
    assert [(event.verdict, event.iteration) for event in history if event.kind is EventKind.CANARY] == [(expected, 1)]
    canary = Canary(CanaryConfig(every_runs=5), iterations=1)
    canary.begin(history, 0.0)
    assert canary.has_failed is (expected is Verdict.OVERLOADED)
    suspect = [run.config_key for run in canary.unconfirmed(canary.key)] if canary.has_failed else []
    assert suspect == ([(("a",), (20,))] if canary.has_failed else [])


def _run(of: Session, rate_rps: int, p95_ms: float, started_at: float) -> ExecutionEvent:
    measured = (function("a", rate_rps, p95_ms=p95_ms),)
    times = {"started_at": started_at, "ended_at": started_at + 2.0}
    return _slow_run(of, rate_rps, functions=measured, **times)


def test_a_campaign_with_the_same_rules_goes_on_with_all_as_it_was(path: Path) -> None:
    store_as_earlier_release(path)
    engine = make_engine(DuckDBMemoryStore(path))
    engine.startup()

    history = engine.open_session(_session("again", _DEFAULT))

    assert history == engine.stored_history
    assert {run.kind for run in history} == {EventKind.INFERRED, EventKind.MEASURED}
    assert not engine.judged_anew
    engine.close()


def test_the_session_of_the_last_release_can_be_resumed_by_its_name(path: Path) -> None:
    store_as_earlier_release(path)
    store = DuckDBMemoryStore(path)
    store.startup()

    store.open_session(_session("before", _DEFAULT))

    assert store.context("before")["overload"] == _DEFAULT.as_context()
    assert store.context("nobody") == {}
    store.close()


def test_runs_of_a_resumed_session_of_the_last_release_have_the_hash_that_it_has(path: Path) -> None:
    """Else verify, merge and preload would take them for runs of another campaign."""
    store_as_earlier_release(path)
    store = DuckDBMemoryStore(path)
    store.startup()
    resumed = _session("before", _DEFAULT)
    run = _slow_run(resumed, 20)
    for known in (0, 1):
        store.open_session(resumed)
        assert store.insert_events([run]) == 1 - known
        store.close()
        store.startup()

    assert not [found for found in verify(store.database.connection) if found.column == "context_hash"]
    (stored,) = store.database.connection.execute("SELECT DISTINCT context_hash FROM execution_events").fetchall()
    assert stored == store.database.connection.execute("SELECT context_hash FROM run_sessions").fetchone()
    assert run in store.events(resumed.context_hash)
    store.close()


def test_the_mark_of_a_run_of_the_last_release_has_the_hash_of_that_run(path: Path) -> None:
    store_as_earlier_release(path)
    store = DuckDBMemoryStore(path)
    store.startup()
    again = _session("again", _DEFAULT)
    store.open_session(again)
    (run,) = (one for one in store.events(again.context_hash) if one.kind is EventKind.MEASURED)

    store.insert_events([mark(run, "the canary is overloaded", 2e9)])

    assert not [found for found in verify(store.database.connection) if found.column == "context_hash"]
    store.close()


def test_runs_are_numbered_on_from_those_of_the_last_release(path: Path) -> None:
    store_as_earlier_release(path)
    store = DuckDBMemoryStore(path)
    store.startup()
    again = _session("again", _STRICT)
    store.open_session(again)

    gaps = []
    for iteration in (1, 3):
        store.insert_events([_slow_run(again, iteration=iteration)])
        found = verify(store.database.connection)
        gaps.append([(gap.stored, gap.recomputed) for gap in found if gap.column == "iteration"])

    assert gaps == [[], [("up to 3", "3 runs")]]
    store.close()


def test_a_memory_of_the_last_release_is_sound_and_its_readers_see_the_present_hash(path: Path) -> None:
    now = _session("before", _DEFAULT).context_hash
    store_as_earlier_release(path)

    with reading(path, "peva_faas_mem_v1") as connection:
        sums = [found for found in verify(connection) if found.column == "context_hash"]
        show_as_read(connection)
        seen = {
            table: connection.execute(f"SELECT DISTINCT context_hash FROM {table}").fetchall()  # noqa: S608
            for table in ("run_sessions", "execution_events")
        }
        rules = session_rules(connection)

    assert not sums
    assert seen == {"run_sessions": [(now,)], "execution_events": [(now,)]}
    assert rules["before"].overload.as_context() == _DEFAULT.as_context()


def test_a_context_without_rules_or_of_a_foreign_hash_is_left_alone(tmp_path: Path) -> None:
    store = DuckDBMemoryStore(tmp_path / "m.duckdb")
    store.startup()
    store.open_session(Session("bare", 1, "ctx", {"node": "n"}))
    store.open_session(replace(_session("foreign", _DEFAULT), context_hash="theirs"))

    show_as_read(store.database.connection)

    hashes = store.database.connection.execute("SELECT context_hash FROM run_sessions ORDER BY 1").fetchall()
    assert hashes == [("ctx",), ("theirs",)]
    assert set(session_rules(store.database.connection)) == {"foreign"}
    store.close()
