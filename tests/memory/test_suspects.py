"""Runs that are suspect: stored as they were measured, and no label for any reader."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.maps import read_map
from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine, reading, summarize_memory, verify
from peva_env.memory.parquet import ParquetCheckpoint, load_recording
from peva_env.memory.suspects import as_read, mark
from peva_env.space import config_key
from tests.support.builders import event, session
from tests.support.engines import make_engine

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID
CAUSE = "the canary a 10 rps failed"
WHY = f"suspect: {CAUSE}"
A20 = [("a", 20)]
GOOD = event(A20, 1)
BAD = event(
    A20, 0, OVERLOADED, reasons=("success of a 0.500 < 0.9",), margin=-0.4, overloaded_functions=("a",)
)  # fmt: skip
CANARY = replace(event(started_at=999.0), kind=EventKind.CANARY)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[InProcessMemoryEngine]:
    with closing(make_engine(DuckDBMemoryStore(tmp_path / "m.duckdb"))) as engine:
        engine.startup()
        engine.open_session(session())
        for one in (BAD, GOOD, CANARY):
            engine.ingest_event(one)
        yield engine


def seen(events: list[ExecutionEvent]) -> list[tuple[EventKind, int, Verdict]]:
    return [(one.kind, one.iteration, one.verdict) for one in events]


def marked() -> ExecutionEvent:
    return mark(BAD, CAUSE, marked_at=2000.0)


def test_a_suspect_run_is_no_label_any_more_and_keeps_its_number(engine: InProcessMemoryEngine) -> None:
    history = engine.ingest_marks([marked()])
    assert seen(history) == [
        (EventKind.CANARY, 0, OK), (EventKind.MEASURED, 0, INVALID), (EventKind.MEASURED, 1, OK),
        (EventKind.SUSPECT, -3, INVALID),
    ]  # fmt: skip
    assert history[1].reasons == (WHY, "success of a 0.500 < 0.9")
    assert (history[1].margin, history[1].overloaded_functions) == (None, ())
    assert history[1].functions == BAD.functions
    assert engine.ledger.verdicts(config_key(A20)) == [OK]
    assert engine.ledger.next_iteration(config_key(A20)) == 2
    assert engine.tensors.labels.tolist() == [-1]


def test_the_stored_run_does_not_change(engine: InProcessMemoryEngine) -> None:
    engine.ingest_marks([marked()])
    assert BAD in engine.store.events("ctx")
    assert BAD in engine.stored_history
    different = [one for one in verify(engine.store.database.connection) if "context" not in one.column]
    assert different == []


def test_marks_are_those_of_the_next_start_too(engine: InProcessMemoryEngine, tmp_path: Path) -> None:
    before = engine.ingest_marks([marked()])
    engine.close()
    with closing(make_engine(DuckDBMemoryStore(tmp_path / "m.duckdb"))) as again:
        again.startup()
        assert again.tensors.labels.tolist() == [-1]
        assert again.open_session(session("next")) == before


def test_a_map_of_the_memory_and_its_summary_take_it_for_invalid(engine: InProcessMemoryEngine, tmp_path: Path) -> None:
    engine.ingest_marks([marked()])
    engine.close()
    node_map = read_map(tmp_path / "m.duckdb")
    assert node_map.known.measured == {config_key(A20): OK}
    assert [(run.iteration, run.verdict, run.reasons[:1]) for run in node_map.events] == [
        (0, INVALID, (WHY,)), (1, OK, ()),
    ]  # fmt: skip
    assert node_map.n_suspect == 1
    assert node_map.canaries == (CANARY,)
    with reading(tmp_path / "m.duckdb", "peva_faas_mem_v1") as connection:
        counts = [(count.kind, count.verdict, count.n) for count in summarize_memory(connection).events]
    assert counts == [("canary", OK, 1), ("measured", INVALID, 1), ("measured", OK, 1), ("suspect", INVALID, 1)]


def test_a_recording_neither_replays_it_nor_the_canary(engine: InProcessMemoryEngine, tmp_path: Path) -> None:
    engine.ingest_marks([marked()])
    core = ParquetCheckpoint(engine.store, core_dir=tmp_path / "core")
    core.export_core()
    recording = load_recording(tmp_path / "core")
    assert recording.rows.keys["iteration"].tolist() == [1]
    assert recording.stored("ctx").event(0) == GOOD


def test_a_recording_of_suspect_runs_alone_has_nothing_to_replay(tmp_path: Path) -> None:
    with closing(make_engine(DuckDBMemoryStore(":memory:"))) as engine:
        engine.startup()
        engine.open_session(session())
        engine.ingest_event(BAD)
        engine.ingest_marks([marked()])
        ParquetCheckpoint(engine.store, core_dir=tmp_path / "core").export_core()
    with pytest.raises(ConfigError, match="no valid measured event"):
        load_recording(tmp_path / "core")


def test_an_export_from_before_the_mark_merges_into_the_memory_that_has_it(
    engine: InProcessMemoryEngine, tmp_path: Path
) -> None:
    core = ParquetCheckpoint(engine.store, core_dir=tmp_path / "core")
    core.export_core()
    engine.ingest_marks([marked()])
    before = engine.store.events("ctx")
    core.preload_core()
    assert engine.store.events("ctx") == before


def test_a_mark_without_its_run_is_told_by_verify(engine: InProcessMemoryEngine) -> None:
    engine.ingest_marks([mark(event(A20, 7), CAUSE, marked_at=2000.0)])
    (found,) = [one for one in verify(engine.store.database.connection) if "context" not in one.column]
    assert (found.stored, found.recomputed) == ("-10", "a measured run")


def test_without_a_session_there_is_nothing_to_mark(tmp_path: Path) -> None:
    with closing(make_engine(DuckDBMemoryStore(":memory:"))) as engine:
        engine.startup()
        with pytest.raises(MemoryStoreError, match="open a session first"):
            engine.ingest_marks([marked()])


def test_events_without_a_mark_are_read_as_they_are() -> None:
    assert as_read([BAD, GOOD]) == [BAD, GOOD]
