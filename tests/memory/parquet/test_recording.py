"""Parquet folders as arrays: the same as the memory they were written from, or refused in one line."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError, SchemaMismatchError
from peva_env.memory.parquet.checkpoint import ParquetCheckpoint
from peva_env.memory.parquet.recording import Recording, load_recording
from peva_env.memory.session_rules import session_rules
from peva_env.memory.store import DuckDBMemoryStore
from tests.support.builders import event, function, rewrite_table, write_recording
from tests.support.strategies import events


def in_full(recording: Recording) -> list[ExecutionEvent]:
    """Return all events of a recording, in the order of its rows."""
    rows = recording.rows.context_hash
    stored = {context: recording.stored(context) for context in rows.values}
    return [stored[rows.values[code]].event(row) for row, code in enumerate(rows.codes)]


def numbers_of(one: ExecutionEvent) -> tuple[list[Any], list[list[Any]]]:
    of_run = [one.node.cpu_pct, one.node.ram_pct, one.margin, one.cost_s]
    return of_run, [[f.rate_rps, f.success_rate, f.p95_ms, f.mean_ms] for f in one.functions]


@settings(max_examples=8, deadline=None)
@given(given_events=st.lists(events(), max_size=6, unique_by=lambda one: one.event_key))
def test_it_holds_what_the_memory_held_number_by_number(
    tmp_path_factory: pytest.TempPathFactory, given_events: list[ExecutionEvent]
) -> None:
    valid = sorted((one for one in given_events if one.is_valid), key=lambda one: one.event_key)
    folder = write_recording(tmp_path_factory.mktemp("core"), *given_events)
    if not valid:
        with pytest.raises(ConfigError, match="no valid measured event"):
            load_recording(folder)
        return
    recording = load_recording(folder)
    assert in_full(recording) == valid
    for row, one in enumerate(valid):
        of_run, of_functions = numbers_of(one)
        assert np.array_equal(recording.rows.of_run[row], np.array(of_run, float), equal_nan=True)
        if one.functions:
            measured = recording.rows.of_function[recording.rows.owner == row]
            assert np.array_equal(measured, np.array(of_functions, float), equal_nan=True)


def test_what_is_no_label_is_not_in_it(tmp_path: Path) -> None:
    skipped = event(iteration=-1, kind=EventKind.SKIPPED, functions=())
    invalid = event(iteration=1, verdict=Verdict.INVALID, functions=())
    recording = load_recording(write_recording(tmp_path, event(), skipped, invalid))
    assert in_full(recording) == [event()]


def test_several_folders_are_one_recording_whatever_their_order(tmp_path: Path) -> None:
    both, other = event(cost_s=1.0), event([("b", 3)])
    first = write_recording(tmp_path / "1", both, other, contexts={"ctx": {"node": {"name": "N"}}})
    second = write_recording(tmp_path / "2", both, event([("c", 3)]))
    there, back = load_recording([first, second]), load_recording([second, first, tmp_path / "1" / ".." / "2"])
    assert in_full(there) == in_full(back)
    assert sorted((one.config_pairs, one.cost_s) for one in in_full(there)) == [
        ([("a", 10)], 1.0), ([("b", 3)], 2.0), ([("c", 3)], 2.0),
    ]  # fmt: skip
    assert there.contexts == {"ctx": {"node": {"name": "N"}}}


@settings(max_examples=5, deadline=None)
@given(st.lists(events(), min_size=1, max_size=4), st.lists(events(), min_size=1, max_size=4), st.data())
def test_joined_folders_hold_what_a_merge_of_them_holds(
    tmp_path_factory: pytest.TempPathFactory,
    some: list[ExecutionEvent],
    others: list[ExecutionEvent],
    data: st.DataObject,
) -> None:
    again = [one for one in some if data.draw(st.booleans())]
    taken = {one.event_key for one in some}
    others = [one for one in others if one.event_key not in taken]
    valid = event([("z", 1)])
    folders = [
        write_recording(tmp_path_factory.mktemp("core"), *{one.event_key: one for one in [*many, valid]}.values())
        for many in (some, [*others, *again])
    ]
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        for folder in folders:
            ParquetCheckpoint(store, core_dir=folder).preload_core()
        merged = [one for one in store.events("ctx") if one.is_valid]
    assert in_full(load_recording(folders)) == sorted(merged, key=lambda one: one.event_key)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("nothing", "there is no such folder; `peva-env memory export MEMORY --core .*` writes one"),
        ("a folder", r"run_sessions.parquet is not in it; `peva-env memory export MEMORY --core .*` writes it"),
        ("a file", "a file, not a folder; `peva-env memory export MEMORY --core FOLDER` writes one"),
    ],
)
def test_what_is_no_folder_of_parquet_is_refused_with_the_command_that_writes_one(
    tmp_path: Path, made: str, says: str
) -> None:
    path = tmp_path / "core"
    if made == "a folder":
        path.mkdir()
    elif made == "a file":
        path.touch()
    with pytest.raises(ConfigError, match=says):
        load_recording(path)


def test_no_folder_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="no recording is named"):
        load_recording([])


def test_parquet_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path, event()) / "execution_events.parquet"
    with pytest.raises(SchemaMismatchError, match="'mine_v2' is asked for"):
        load_recording(tmp_path, schema_version="mine_v2")
    rewrite_table(path, "SELECT *, 1 AS more FROM rows")
    with pytest.raises(SchemaMismatchError, match="has a column more too many"):
        load_recording(tmp_path)
    rewrite_table(path, "FROM rows", label="mine_v2")
    with pytest.raises(SchemaMismatchError, match="schema_version is mine_v2"):
        load_recording(tmp_path)


def test_files_of_two_exports_are_no_recording(tmp_path: Path) -> None:
    older = write_recording(tmp_path / "older", event(), contexts={"ctx": {}})
    folder = write_recording(tmp_path / "core", event(), event(iteration=1), contexts={"ctx": {}})
    assert len(in_full(load_recording([older, folder]))) == 2
    shutil.copy(older / "execution_events.parquet", folder)
    with pytest.raises(MemoryStoreError, match=r"core/execution_events\.parquet: is not of the export that wrote"):
        load_recording([older, folder])


def test_a_folder_that_holds_an_event_twice_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path, event(), event(iteration=1))
    rewrite_table(tmp_path / "execution_events.parquet", "FROM rows UNION ALL FROM rows WHERE iteration = 1")
    with pytest.raises(MemoryStoreError, match="1 events are there twice; it is damaged, or not written by peva-env"):
        load_recording(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "'FINE' AS verdict",
        "['b', 'a'] AS function_names",
        "['a', 'a'] AS function_names",
        "['a', NULL] AS function_names",
        "[]::VARCHAR[] AS function_names",
        "[1]::INTEGER[] AS rates_rps",
        "[-1, 1]::INTEGER[] AS rates_rps",
        "[NULL, 1]::INTEGER[] AS rates_rps",
        "NULL::DOUBLE[] AS p95_ms",
        "NULL::VARCHAR AS context_hash",
        "'nan'::DOUBLE AS cpu_pct",
        "['inf', '1']::DOUBLE[] AS p95_ms",
        "[-1, 2]::BIGINT[] AS succeeded",
        "[NULL, 2]::BIGINT[] AS offered",
        "NULL::DOUBLE AS cost_s",
        "[5.0]::DOUBLE[] AS p95_ms",
        "[2, 2, 2]::BIGINT[] AS sent",
    ],
)
def test_an_event_that_no_memory_would_have_written_is_refused(tmp_path: Path, change: str) -> None:
    write_recording(tmp_path, event([("a", 1), ("b", 2)]))
    rewrite_table(tmp_path / "execution_events.parquet", f"SELECT * REPLACE ({change}) FROM rows")  # noqa: S608
    with pytest.raises(MemoryStoreError, match="1 events are impossible"):
        load_recording(tmp_path)


def test_other_nonsense_is_one_line_too(tmp_path: Path) -> None:
    path = write_recording(tmp_path, event(), contexts={"ctx": {}}) / "execution_events.parquet"
    rewrite_table(path, "SELECT * REPLACE ([1, 2]::BIGINT[] AS offered) FROM rows")
    with pytest.raises(MemoryStoreError, match="1 events are impossible"):
        load_recording(tmp_path)
    write_recording(tmp_path, event(), contexts={"ctx": {}})
    rewrite_table(path, "SELECT * REPLACE ('no number' AS config_id) FROM rows")
    with pytest.raises(MemoryStoreError, match="cannot be read: Conversion Error"):
        load_recording(tmp_path)
    write_recording(tmp_path, event(), contexts={"ctx": {}})
    rewrite_table(tmp_path / "run_sessions.parquet", "SELECT * REPLACE ('{' AS context_json) FROM rows")
    with pytest.raises(MemoryStoreError, match="context ctx is no JSON"):
        load_recording(tmp_path)
    path.write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(MemoryStoreError, match="cannot preload"):
        load_recording(tmp_path)


def test_a_folder_that_is_written_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = write_recording(tmp_path / "older", event(), contexts={"ctx": {}})
    folder = write_recording(tmp_path / "core", event(), event(iteration=1), contexts={"ctx": {}})

    def replaced_before(connection: Any) -> Any:
        shutil.copy(older / "run_sessions.parquet", folder)
        return session_rules(connection)

    monkeypatch.setattr("peva_env.memory.parquet.recording.session_rules", replaced_before)
    with pytest.raises(MemoryStoreError, match=r"core/run_sessions\.parquet: was written while it was read; load"):
        load_recording(folder)


def test_a_folder_that_is_written_anew_in_between_is_noticed(tmp_path: Path) -> None:
    recording = load_recording(write_recording(tmp_path, event()))
    write_recording(tmp_path, event(), event(iteration=1))
    with pytest.raises(MemoryStoreError, match="it has changed since it was loaded"):
        recording.stored("ctx")


def test_counts_of_failures_come_back_as_they_were(tmp_path: Path) -> None:
    failing = event(functions=(function(failed={"status_503": 2, "timeout": 1}),), verdict=Verdict.OVERLOADED)
    assert in_full(load_recording(write_recording(tmp_path, failing))) == [failing]
