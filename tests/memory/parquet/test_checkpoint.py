"""The checkpoint: a memory as Parquet folders, and such folders merged into a memory whole or not at all."""

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from peva_env.contracts import EndStatus
from peva_env.errors import ConfigError, MemoryStoreError, SchemaMismatchError
from peva_env.memory.event_writer import PolicyUpdate
from peva_env.memory.parquet.checkpoint import ParquetCheckpoint
from peva_env.memory.parquet.checksum import is_as_written
from peva_env.memory.parquet.table_merge import merge_tables
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.system import replacing
from tests.support.builders import event, full, rewrite_table, session, small_disk

CORE = ("memory_schema_meta", "run_sessions", "config_catalog", "execution_events", "policy_updates")
DEBUG = ("k6_raw_summaries",)


def started(path: Path | str) -> DuckDBMemoryStore:
    store = DuckDBMemoryStore(path)
    store.startup()
    return store


def content(store: DuckDBMemoryStore) -> dict[str, list[Any]]:
    """Return every row of every table but the label's, whose time of making is each database's own."""
    rows = store.database.connection.execute
    return {table: rows(f"FROM {table} ORDER BY ALL").fetchall() for table in (*CORE[1:], *DEBUG)}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def full_memory(tmp_path: Path) -> Iterator[DuckDBMemoryStore]:
    """A memory with something in each table."""
    with closing(started(tmp_path / "full.duckdb")) as store:
        store.open_session(session(seed=1))
        store.insert_events([event(iteration=0, raw_summary={"metrics": {"n": 1}}), event([("é", 5)], 0)])
        store.insert_events([], [PolicyUpdate("run", 0, 1000.5, "Greedy", "online", 1, 0.5)])
        store.close_session("run", EndStatus.COMPLETE)
        yield store


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[DuckDBMemoryStore]:
    with closing(started(tmp_path / "empty.duckdb")) as store:
        yield store


@pytest.fixture
def exported(full_memory: DuckDBMemoryStore, tmp_path: Path) -> Path:
    """The folder with the exports of the full memory."""
    folder = tmp_path / "exported"
    ParquetCheckpoint(full_memory, core_dir=folder / "core", debug_dir=folder / "debug").export_all()
    return folder


def test_the_core_and_the_debug_tables_are_named() -> None:
    assert ParquetCheckpoint.CORE_TABLES == CORE
    assert ParquetCheckpoint.DEBUG_TABLES == DEBUG


# Export


def test_export_all_writes_one_file_a_table_and_nothing_else(exported: Path) -> None:
    core, debug = {f"core/{table}.parquet" for table in CORE}, {f"debug/{table}.parquet" for table in DEBUG}
    assert files(exported) == core | debug
    assert {path.name for path in exported.rglob(".*")} == set()


@pytest.mark.parametrize("alone", ["core_dir", "debug_dir"])
def test_either_folder_may_be_given_alone(full_memory: DuckDBMemoryStore, tmp_path: Path, alone: str) -> None:
    ParquetCheckpoint(full_memory, **{alone: tmp_path / "out"}).export_all()
    expected = CORE if alone == "core_dir" else DEBUG
    assert files(tmp_path / "out") == {f"{table}.parquet" for table in expected}


def test_without_a_folder_nothing_is_exported_and_asking_for_one_is_an_error(full_memory: DuckDBMemoryStore) -> None:
    checkpoint = ParquetCheckpoint(full_memory)
    checkpoint.export_all()
    for ask in (checkpoint.export_core, checkpoint.export_debug, checkpoint.preload_core, checkpoint.preload_debug):
        with pytest.raises(MemoryStoreError, match="_dir was given"):
            ask()


def test_a_later_export_replaces_the_earlier(full_memory: DuckDBMemoryStore, exported: Path) -> None:
    full_memory.insert_events([event(iteration=1)])
    ParquetCheckpoint(full_memory, core_dir=exported / "core").export_core()
    counted = duckdb.execute(f"SELECT count(*) FROM '{exported}/core/execution_events.parquet'")  # noqa: S608
    assert counted.fetchall() == [(3,)]


def test_an_export_that_fails_leaves_the_older_files_and_nothing_half_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, closing(started(tmp_path / "m.duckdb")) as store:
        store.insert_events([event()])
        checkpoint = ParquetCheckpoint(store, core_dir=disk / "core")
        checkpoint.export_core()
        before = {path: path.read_bytes() for path in disk.rglob("*.parquet")}
        store.insert_events([event(iteration=1)])
        with full(disk), pytest.raises(MemoryStoreError, match="cannot export") as caught:
            checkpoint.export_core()
        assert "\n" not in str(caught.value)
        assert {path: path.read_bytes() for path in (disk / "core").rglob("*") if path.is_file()} == before
        assert [path.name for path in disk.rglob(".*")] == []
        store.insert_events([event(iteration=2)])


def test_a_file_that_cannot_be_replaced_is_one_clear_error(full_memory: DuckDBMemoryStore, tmp_path: Path) -> None:
    (tmp_path / "core" / "policy_updates.parquet" / "in the way").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"cannot export to .*: exists and is not a table that was exported"):
        ParquetCheckpoint(full_memory, core_dir=tmp_path / "core").export_core()
    assert [path.name for path in tmp_path.rglob(".*")] == []


@pytest.mark.parametrize("foreign", ["a,b\n1,2\n", None])
def test_a_table_of_somebody_else_is_not_replaced(
    full_memory: DuckDBMemoryStore, tmp_path: Path, foreign: str | None
) -> None:
    path = tmp_path / "run_sessions.parquet"
    if foreign:
        path.write_text(foreign)
    else:
        duckdb.sql(f"COPY (SELECT 1 AS a) TO '{path}'")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"run_sessions\.parquet: exists and is not a table that was exported"):
        ParquetCheckpoint(full_memory, core_dir=tmp_path).export_core()
    assert {one.name: one.read_bytes() for one in tmp_path.glob("*.parquet")} == {path.name: before}


def test_a_folder_that_cannot_be_made_is_one_clear_error(full_memory: DuckDBMemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot export to .*file: is not a folder; give another one"):
        ParquetCheckpoint(full_memory, core_dir=tmp_path / "file").export_core()
    with pytest.raises(MemoryStoreError, match="cannot export"):
        ParquetCheckpoint(full_memory, core_dir=tmp_path / "file" / "core").export_core()


# Preload


def test_a_memory_comes_back_whole_from_its_folders(
    full_memory: DuckDBMemoryStore, empty: DuckDBMemoryStore, exported: Path
) -> None:
    checkpoint = ParquetCheckpoint(empty, core_dir=exported / "core", debug_dir=exported / "debug")
    checkpoint.preload_core()
    checkpoint.preload_debug()
    assert content(empty) == content(full_memory)


def test_preload_core_loads_core_tables_only(empty: DuckDBMemoryStore, exported: Path) -> None:
    ParquetCheckpoint(empty, core_dir=exported / "core", debug_dir=exported / "debug").preload_core()
    loaded = {table: len(rows) for table, rows in content(empty).items()}
    assert loaded == {
        "run_sessions": 1,
        "config_catalog": 2,
        "execution_events": 2,
        "policy_updates": 1,
        "k6_raw_summaries": 0,
    }


def test_loading_the_same_folder_twice_changes_nothing(empty: DuckDBMemoryStore, exported: Path) -> None:
    checkpoint = ParquetCheckpoint(empty, core_dir=exported / "core")
    checkpoint.preload_core()
    once = content(empty)
    checkpoint.preload_core()
    assert content(empty) == once


def test_the_end_of_a_session_outranks_its_beginning(empty: DuckDBMemoryStore, tmp_path: Path) -> None:
    with closing(started(":memory:")) as other:
        empty.open_session(session())
        for status in ("running", "complete"):
            ParquetCheckpoint(empty, core_dir=tmp_path / "core").export_core()
            ParquetCheckpoint(other, core_dir=tmp_path / "core").preload_core()
            assert content(other)["run_sessions"][0][4] == status
            empty.close_session("run", EndStatus.COMPLETE)


@pytest.mark.parametrize("name", ["it's", "all*", "what?", "run[1]", "{a,b}", "naïve folder", "100%_%s"])
def test_a_folder_may_have_any_name(
    full_memory: DuckDBMemoryStore, empty: DuckDBMemoryStore, tmp_path: Path, name: str
) -> None:
    (tmp_path / "all but another").mkdir()
    ParquetCheckpoint(full_memory, core_dir=tmp_path / name).export_core()
    shutil.copytree(tmp_path / name, tmp_path / "all but another", dirs_exist_ok=True)
    ParquetCheckpoint(empty, core_dir=tmp_path / name).preload_core()
    assert len(empty.events("ctx")) == 2


def truncate(core: Path) -> None:
    path = core / "execution_events.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def damage_a_page(core: Path) -> None:
    path = core / "execution_events.parquet"
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(data)


def flip_a_bit_of_a_value(core: Path) -> None:
    path = core / "execution_events.parquet"
    data = bytearray(path.read_bytes())
    ended_at = struct.pack("<d", 1002.0)
    assert data.count(ended_at) > 0
    data[data.index(ended_at)] ^= 1
    path.write_bytes(data)


def lose_a_file(core: Path) -> None:
    (core / "policy_updates.parquet").unlink()


def lose_every_file(core: Path) -> None:
    shutil.rmtree(core)


def put_text_in_its_place(core: Path) -> None:
    (core / "run_sessions.parquet").write_text("run_id\nrun\n")


def rewrite(core: Path, table: str, query: str, label: str) -> None:
    rewrite_table(core / f"{table}.parquet", query, label=label)


def another_label(core: Path) -> None:
    rewrite(core, "policy_updates", "FROM rows", "peva_faas_mem_v0")


def no_label(core: Path) -> None:
    rewrite(core, "policy_updates", "FROM rows", "")


def another_column(core: Path) -> None:
    rewrite(core, "policy_updates", "SELECT * RENAME (score AS loss) FROM rows", "peva_faas_mem_v1")


def another_type(core: Path) -> None:
    rewrite(core, "execution_events", "SELECT * REPLACE (margin::FLOAT AS margin) FROM rows", "peva_faas_mem_v1")


def one_column_more(core: Path) -> None:
    rewrite(core, "config_catalog", "SELECT *, 1 AS more FROM rows", "peva_faas_mem_v1")


def lose_the_sessions(core: Path) -> None:
    rewrite(core, "run_sessions", "FROM rows LIMIT 0", "peva_faas_mem_v1")


def lose_the_catalog(core: Path) -> None:
    rewrite(core, "config_catalog", "FROM rows LIMIT 0", "peva_faas_mem_v1")


def lose_the_events(core: Path) -> None:
    rewrite(core, "execution_events", "FROM rows LIMIT 0", "peva_faas_mem_v1")


def lose_the_kinds(core: Path) -> None:
    rewrite(core, "execution_events", "SELECT * REPLACE (NULL::VARCHAR AS kind) FROM rows", "peva_faas_mem_v1")


def lose_the_contexts(core: Path) -> None:
    rewrite(core, "run_sessions", "SELECT * REPLACE (NULL::VARCHAR AS context_hash) FROM rows", "peva_faas_mem_v1")


def with_values(table: str, column: str, value: str) -> Callable[[Path], None]:
    def spoil(core: Path) -> None:
        query = f"SELECT * REPLACE ({value} AS {column}) FROM rows"  # noqa: S608
        rewrite(core, table, query, "peva_faas_mem_v1")

    spoil.__name__ = f"{column} {value}"
    return spoil


events_with = partial(with_values, "execution_events")
sessions_with = partial(with_values, "run_sessions")


def add_a_label(core: Path) -> None:
    more = "FROM rows UNION ALL SELECT * REPLACE ('peva_faas_mem_v0' AS schema_version) FROM rows"
    rewrite(core, "memory_schema_meta", more, "peva_faas_mem_v1")


def put_a_pipe_in_its_place(core: Path) -> None:
    lose_a_file(core)
    os.mkfifo(core / "policy_updates.parquet")


SPOILERS = [
    (truncate, MemoryStoreError, "execution_events.parquet"),
    (damage_a_page, MemoryStoreError, "core"),
    (flip_a_bit_of_a_value, MemoryStoreError, "execution_events.parquet: it is damaged or was edited: its checksum is"),
    (lose_a_file, MemoryStoreError, "policy_updates.parquet"),
    (lose_every_file, MemoryStoreError, "memory_schema_meta.parquet"),
    (put_text_in_its_place, MemoryStoreError, "run_sessions.parquet"),
    (another_label, SchemaMismatchError, "schema_version is peva_faas_mem_v0"),
    (add_a_label, SchemaMismatchError, "has a row of schema_version 'peva_faas_mem_v0'"),
    (no_label, SchemaMismatchError, "schema_version is missing"),
    (another_column, SchemaMismatchError, "has loss DOUBLE where score DOUBLE should be"),
    (another_type, SchemaMismatchError, "has margin FLOAT where margin DOUBLE should be"),
    (one_column_more, SchemaMismatchError, "has a column more too many"),
    (
        lose_the_sessions,
        MemoryStoreError,
        "run_id 'run' of its policy_updates has no row in run_sessions; its files are",
    ),
    (
        lose_the_catalog,
        MemoryStoreError,
        "of its execution_events has no row in config_catalog; its files are",
    ),
    (
        lose_the_events,
        MemoryStoreError,
        "of its config_catalog has no row in execution_events; its files are",
    ),
    (lose_the_kinds, MemoryStoreError, "rows of its execution_events have no kind; it is damaged, or not written by"),
    (lose_the_contexts, MemoryStoreError, "rows of its run_sessions have no context_hash; it is damaged, or not"),
    (put_a_pipe_in_its_place, MemoryStoreError, "policy_updates.parquet: is not a file"),
    (events_with("config_id", "'0123456789ab'"), MemoryStoreError, "config_id of event .* is 0123456789ab instead of"),
    (events_with("function_names", "['b', 'a']"), MemoryStoreError, "of event .* is .* instead of"),
    (events_with("function_names", "[NULL]::VARCHAR[]"), MemoryStoreError, "of event .* is .* instead of"),
    (events_with("rates_rps", "[-10]::INTEGER[]"), MemoryStoreError, "of event .* instead of"),
    (events_with("success_rate", "[]::DOUBLE[]"), MemoryStoreError, "success_rate of event .* is 0 values instead of"),
    (events_with("kind", "'guessed'"), MemoryStoreError, "kind of event .* is guessed instead of one of measured, "),
    (events_with("cpu_pct", "'nan'::DOUBLE"), MemoryStoreError, "cpu_pct of event .* is nan instead of a finite"),
    (events_with("ram_pct", "'-inf'::DOUBLE"), MemoryStoreError, "ram_pct of event .* is -inf instead of a finite"),
    (events_with("p95_ms", "['inf']::DOUBLE[]"), MemoryStoreError, "p95_ms of event .* instead of a finite number"),
    (events_with("cost_s", "NULL::DOUBLE"), MemoryStoreError, "cost_s of event .* is missing instead of a value"),
    (events_with("reasons", "NULL::VARCHAR[]"), MemoryStoreError, "reasons of event .* is missing instead of a value"),
    (events_with("reasons", "[NULL]::VARCHAR[]"), MemoryStoreError, "reasons of event .* instead of a value for each"),
    (events_with("sent", "[NULL]::BIGINT[]"), MemoryStoreError, "sent of event .* instead of a value for each"),
    (events_with("succeeded", "[-1]::BIGINT[]"), MemoryStoreError, "succeeded of event .* instead of at least 0"),
    (events_with("failed", "[map {'x': -1::BIGINT}]"), MemoryStoreError, "failed of event .* instead of at least 0"),
    (events_with("failed", "[map {'x': NULL::BIGINT}]"), MemoryStoreError, "failed of event .* a value for each"),
    (events_with("failed", "[NULL]::MAP(VARCHAR, BIGINT)[]"), MemoryStoreError, "failed of event .* a value for each"),
    (sessions_with("started_at", "'nan'::DOUBLE"), MemoryStoreError, "started_at of campaign run is nan instead of a"),
    (sessions_with("status", "'asleep'"), MemoryStoreError, "status of campaign run is asleep instead of one of"),
    (sessions_with("repetition", "NULL::INTEGER"), MemoryStoreError, "repetition of campaign run is missing"),
    (events_with("verdict", "'MAYBE'"), MemoryStoreError, "verdict of event .* is MAYBE instead of one of OK, "),
]


@pytest.mark.parametrize(("spoil", "kind", "message"), SPOILERS, ids=[spoil.__name__ for spoil, _, _ in SPOILERS])
def test_a_spoilt_folder_is_refused_whole(
    empty: DuckDBMemoryStore,
    exported: Path,
    spoil: Callable[[Path], None],
    kind: type[MemoryStoreError],
    message: str,
) -> None:
    empty.insert_events([event([("mine", 1)])])
    before = content(empty)
    spoil(exported / "core")
    with pytest.raises(kind, match=message) as caught:
        ParquetCheckpoint(empty, core_dir=exported / "core").preload_core()
    assert "\n" not in str(caught.value)
    assert content(empty) == before
    empty.insert_events([event()])


def test_an_export_says_what_is_in_it(full_memory: DuckDBMemoryStore, exported: Path) -> None:
    path = exported / "core" / "execution_events.parquet"
    rows = duckdb.execute(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')").fetchall()  # noqa: S608
    said = {key: value for key, value in rows if key not in ("checksum", "export_id")}
    assert said == {"schema_version": "peva_faas_mem_v1", "context_hashes": "ctx"}
    codec = duckdb.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{path}')").fetchall()  # noqa: S608
    assert codec == [("ZSTD",)]


def test_any_byte_that_is_another_one_is_seen(exported: Path) -> None:
    path = exported / "core" / "run_sessions.parquet"
    data = bytearray(path.read_bytes())
    mark = data.rindex(b"crc32=")
    assert is_as_written(path)
    for place in [*range(0, mark, 7), *range(mark + len(b"crc32="), len(data) - 8)]:  # then comes the footer's length
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        assert not is_as_written(path), place
        data[place] ^= 1 << place % 8


def test_an_export_without_checksums_and_ids_is_loaded(empty: DuckDBMemoryStore, exported: Path) -> None:
    for table in CORE:
        rewrite_table(exported / "core" / f"{table}.parquet", "FROM rows", with_id=False)
    ParquetCheckpoint(empty, core_dir=exported / "core").preload_core()
    assert len(empty.events("ctx")) == 2


# Files of one export


@pytest.fixture
def later(full_memory: DuckDBMemoryStore, exported: Path) -> Path:
    """The folder with the exports of the full memory after one more event."""
    full_memory.insert_events([event(iteration=1, raw_summary={"metrics": {"n": 1}})])
    full_memory.insert_events([], [PolicyUpdate("run", 1, 1001.5, "Greedy", "online", 1, 0.5)])
    folder = exported.with_name("later")
    ParquetCheckpoint(full_memory, core_dir=folder / "core", debug_dir=folder / "debug").export_all()
    return folder


@pytest.mark.parametrize("table", [*CORE, *DEBUG])
@pytest.mark.parametrize("is_older", [True, False])
def test_a_file_of_another_export_is_refused(
    empty: DuckDBMemoryStore, exported: Path, later: Path, table: str, is_older: bool
) -> None:
    from_, into = (exported, later) if is_older else (later, exported)
    part = "core" if table in CORE else "debug"
    shutil.copy(from_ / part / f"{table}.parquet", into / part)
    before = content(empty)
    told = r"cannot preload .*/\w+\.parquet: is not of the export that wrote .*/\w+\.parquet, .*; export .* again"
    with pytest.raises(MemoryStoreError, match=told) as caught:
        ParquetCheckpoint(empty, core_dir=into / "core", debug_dir=into / "debug").preload_all()
    assert f"{table}.parquet" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content(empty) == before


@pytest.mark.parametrize("is_whole", [True, False], ids=["another export", "half of a file"])
def test_a_folder_that_is_written_while_it_is_read_is_refused(
    empty: DuckDBMemoryStore, exported: Path, later: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    def export_and_merge(*args: Any, **options: Any) -> Any:
        for table in CORE:
            file = exported / "core" / f"{table}.parquet"
            data = (later / "core" / file.name).read_bytes()
            with replacing(file) as partial_file:
                partial_file.write_bytes(data if is_whole else data[: len(data) // 2])
        return merge_tables(*args, **options)

    monkeypatch.setattr("peva_env.memory.parquet.checkpoint.merge_tables", export_and_merge)
    before = content(empty)
    told = r"core/memory_schema_meta\.parquet: was written while it was read; load it again when that has ended$"
    with pytest.raises(MemoryStoreError, match=told):
        ParquetCheckpoint(empty, core_dir=exported / "core").preload_all()
    assert content(empty) == before


@pytest.mark.parametrize("table", CORE)
def test_a_file_of_an_export_without_ids_does_not_belong_to_one_with_an_id(
    empty: DuckDBMemoryStore, exported: Path, table: str
) -> None:
    rewrite_table(exported / "core" / f"{table}.parquet", "FROM rows", with_id=False)
    with pytest.raises(MemoryStoreError, match=r"is not of the export that wrote .*; export .* again") as caught:
        ParquetCheckpoint(empty, core_dir=exported / "core").preload_core()
    assert f"{table}.parquet" in str(caught.value)


def test_an_export_from_before_raw_summaries_were_added_is_another(
    empty: DuckDBMemoryStore, exported: Path, tmp_path: Path
) -> None:
    with closing(started(tmp_path / "late.duckdb")) as late:
        ParquetCheckpoint(late, core_dir=exported / "core").preload_core()
        before = ParquetCheckpoint(late, core_dir=tmp_path / "core", debug_dir=tmp_path / "debug")
        before.export_all()
        ParquetCheckpoint(late, core_dir=exported / "core", debug_dir=exported / "debug").preload_all()
        before.export_core()
    with pytest.raises(MemoryStoreError, match="is not of the export that wrote"):
        ParquetCheckpoint(empty, core_dir=tmp_path / "core", debug_dir=tmp_path / "debug").preload_all()


def test_exports_of_a_memory_that_did_not_change_are_one(
    full_memory: DuckDBMemoryStore, empty: DuckDBMemoryStore, tmp_path: Path
) -> None:
    ParquetCheckpoint(full_memory, core_dir=tmp_path / "core").export_core()
    full_memory.close()
    full_memory.startup()
    ParquetCheckpoint(full_memory, debug_dir=tmp_path / "debug").export_debug()
    ParquetCheckpoint(empty, core_dir=tmp_path / "core", debug_dir=tmp_path / "debug").preload_all()
    assert content(empty) == content(full_memory)


KILLED_EXPORT = """
import os, pathlib, signal, sys
from peva_env.memory import DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint
store, n_left, replace = DuckDBMemoryStore(sys.argv[1]), int(sys.argv[3]), pathlib.Path.replace
def replace_until_killed(self, target):
    global n_left
    if not n_left:
        os.kill(os.getpid(), signal.SIGKILL)
    n_left -= 1
    return replace(self, target)
store.startup()
pathlib.Path.replace = replace_until_killed
ParquetCheckpoint(store, core_dir=sys.argv[2]).export_core()
"""


@pytest.mark.parametrize("n_replaced", range(len(CORE)))
def test_an_export_that_is_killed_leaves_the_older_one_or_what_is_refused(
    full_memory: DuckDBMemoryStore, empty: DuckDBMemoryStore, exported: Path, n_replaced: int
) -> None:
    full_memory.insert_events([event(iteration=1)])
    full_memory.close()
    args = [full_memory.database.path, str(exported / "core"), str(n_replaced)]
    killed = subprocess.run([sys.executable, "-c", KILLED_EXPORT, *args], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    preload = ParquetCheckpoint(empty, core_dir=exported / "core")
    if n_replaced:
        with pytest.raises(MemoryStoreError, match="or that export did not end; export the memory again"):
            preload.preload_core()
        full_memory.startup()
        ParquetCheckpoint(full_memory, core_dir=exported / "core").export_core()
    preload.preload_core()
    assert len(empty.events("ctx")) == (3 if n_replaced else 2)


def test_what_a_killed_export_left_aside_is_cleared_by_the_next(full_memory: DuckDBMemoryStore, exported: Path) -> None:
    leftover = exported / "core" / f".execution_events.parquet.{2**29}.partial"  # no process has that number
    not_ours = exported / "core" / ".notes.txt.partial"
    of_another = exported / "core" / f".execution_events.parquet.{os.getppid()}.partial"  # exports at the moment
    for path in (leftover, not_ours, of_another):
        path.write_bytes(b"half")
    ParquetCheckpoint(full_memory, core_dir=exported / "core").export_core()
    assert not leftover.exists()
    assert not_ours.exists()
    assert of_another.exists()
