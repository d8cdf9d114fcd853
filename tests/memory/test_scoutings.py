"""Steps of a scouting: stored, exported and merged like other events, and no label for any reader."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError
from peva_env.maps import read_map
from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine, reading, scouted_steps, summarize_memory, verify
from peva_env.memory.parquet import ParquetCheckpoint, load_recording
from peva_env.space import config_key
from tests.support.builders import event, session
from tests.support.engines import make_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[InProcessMemoryEngine]:
    with closing(make_engine(DuckDBMemoryStore(tmp_path / "m.duckdb"))) as engine:
        engine.startup()
        yield engine


def scout(engine: InProcessMemoryEngine, name: str, at: float, *rates: int, complete: bool = True) -> list[Any]:
    store = engine.store
    store.open_session(session(name, repetition=0))
    store.database.connection.execute("UPDATE run_sessions SET started_at = ? WHERE run_id = ?", [at, name])
    steps = [step(name, rate, at + i) for i, rate in enumerate(rates)]
    store.insert_events(steps)
    store.close_session(name, EndStatus.COMPLETE if complete else EndStatus.BUDGET)
    return steps


def step(name: str, rate: int, at: float) -> ExecutionEvent:
    verdict = Verdict.OVERLOADED if rate > 50 else Verdict.OK
    made: ExecutionEvent = event([("a", rate)], 0, verdict, run_id=name, started_at=at, ended_at=at + 1)
    return replace(made, kind=EventKind.SCOUTED, repetition=0)


def measure(engine: InProcessMemoryEngine, at: float) -> list[ExecutionEvent]:
    history = engine.open_session(session())
    engine.ingest_event(event(started_at=at, ended_at=at + 1))
    engine.close_session(EndStatus.STOPPED)
    return history


def deciding(engine: InProcessMemoryEngine) -> list[ExecutionEvent]:
    return scouted_steps(engine.store.database.connection, "ctx")


def test_steps_are_no_history_no_label_and_no_repetition(engine: InProcessMemoryEngine, tmp_path: Path) -> None:
    steps = scout(engine, "scout", 10.0, 40, 80)
    assert engine.store.last_repetition("ctx") == 0
    assert measure(engine, 20.0) == []
    assert engine.ledger.verdicts(config_key([("a", 40)])) == []
    engine.tensors.rebuild(engine.store.database.connection)
    assert engine.tensors.labels.tolist() == [-1]
    assert deciding(engine) == steps
    assert [one for one in verify(engine.store.database.connection) if "context" not in one.column] == []
    engine.close()
    node_map = read_map(tmp_path / "m.duckdb")
    assert (node_map.known.space.n_configs, len(node_map.events), len(node_map.campaigns)) == (1, 1, 1)
    with reading(tmp_path / "m.duckdb", "peva_faas_mem_v1") as connection:
        summary = summarize_memory(connection)
    assert [(count.kind, count.verdict, count.n) for count in summary.events] == [
        ("measured", "OK", 1), ("scouted", "OK", 1), ("scouted", "OVERLOADED", 1)
    ]  # fmt: skip
    assert [(context.n_configs, context.n_runs) for context in summary.contexts] == [(1, 1)]


def test_steps_are_exported_merged_and_not_replayed(engine: InProcessMemoryEngine, tmp_path: Path) -> None:
    steps = scout(engine, "scout", 10.0, 40, 80)
    measure(engine, 20.0)
    ParquetCheckpoint(engine.store, core_dir=tmp_path / "core").export_core()
    assert load_recording(tmp_path / "core").rows.keys["iteration"].tolist() == [0]
    with closing(make_engine(DuckDBMemoryStore(":memory:"))) as other:
        other.startup()
        ParquetCheckpoint(other.store, core_dir=tmp_path / "core").preload_core()
        assert deciding(other) == steps


def test_a_memory_with_steps_alone_has_no_map(engine: InProcessMemoryEngine, tmp_path: Path) -> None:
    scout(engine, "scout", 10.0, 40, 80)
    engine.close()
    with pytest.raises(ConfigError, match="it has no measured events yet"):
        read_map(tmp_path / "m.duckdb")


def test_the_last_complete_scouting_before_the_first_run_decides_and_no_later_one(
    engine: InProcessMemoryEngine,
) -> None:
    assert deciding(engine) == []
    scout(engine, "broken off", 5.0, 10, complete=False)
    assert deciding(engine) == []
    first = scout(engine, "first", 10.0, 20)
    assert deciding(engine) == first
    second = scout(engine, "second", 20.0, 30)
    assert deciding(engine) == second
    measure(engine, 30.0)
    scout(engine, "third", 40.0, 40)
    assert deciding(engine) == second


@pytest.mark.parametrize("back_s", [3600, -3600])
def test_a_scouting_after_the_first_run_does_not_decide_though_the_clock_was_set(
    engine: InProcessMemoryEngine, monkeypatch: pytest.MonkeyPatch, back_s: float
) -> None:
    read, store = time.time, engine.store
    ran: list[str] = []
    for set_back_s, (name, kind) in enumerate([("first", 0), ("second", 0), ("run", 1), ("third", 0)]):
        monkeypatch.setattr(time, "time", lambda by_s=set_back_s * back_s: read() - by_s)
        store.open_session(session(name, repetition=kind))
        now = time.time()
        one = step(name, 20, now) if kind == 0 else event(run_id=name, started_at=now, ended_at=now + 1)
        store.insert_events([store.clock.ordered(one)])
        store.close_session(name, EndStatus.COMPLETE)
        ran += [one.run_id for one in deciding(engine)]
    assert ran == ["first", "second", "second", "second"]


def test_a_scouting_after_the_first_run_decides_if_there_was_none_before(engine: InProcessMemoryEngine) -> None:
    measure(engine, 5.0)
    first = scout(engine, "first", 10.0, 20)
    scout(engine, "second", 20.0, 30)
    assert deciding(engine) == first
