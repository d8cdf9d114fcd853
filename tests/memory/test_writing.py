"""A memory that is opened for writing is left as it was if the work on it fails."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from peva_env.errors import MemoryStoreError, SchemaMismatchError
from peva_env.memory import (
    DuckDBMemoryStore,
    InProcessMemoryEngine,
    database,
    file_locks,
    left_as_it_was,
    reading,
    writing,
)
from peva_env.memory.connecting import connect_duckdb
from peva_env.memory.file_locks import alone_in_folder
from peva_env.memory.schema import TABLES
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION
from tests.support.builders import event, full, session, small_disk
from tests.support.forkserver import LIMIT_S, PROCESSES

HOLD = """
import sys
from peva_env.memory import DuckDBMemoryStore
store = DuckDBMemoryStore(sys.argv[1])
store.startup()
print(flush=True)
sys.stdin.read()
"""


def fail(path: Path, iteration: int = 0) -> None:
    with writing(path, DEFAULT_SCHEMA_VERSION) as store:
        store.insert_events([event(iteration=iteration)])
        raise ValueError("no more")


def n_events(path: Path) -> int:
    with reading(path, DEFAULT_SCHEMA_VERSION) as connection:
        rows: list[tuple[int]] = connection.execute("SELECT count(*) FROM execution_events").fetchall()
    return rows[0][0]


def test_what_succeeds_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    store_an_event(path)
    assert n_events(path) == 1


def test_the_session_of_a_killed_process_is_left_to_the_next_campaign(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    with writing(path, DEFAULT_SCHEMA_VERSION) as store:
        store.open_session(session())  # and the process is killed
    with pytest.raises(ValueError, match="no more"):
        fail(path)
    with reading(path, DEFAULT_SCHEMA_VERSION) as connection:
        assert connection.execute("SELECT status FROM run_sessions").fetchall() == [("running",)]


@pytest.mark.parametrize("ending", [".wal", ".wal.checkpoint"])
def test_the_name_of_a_log_of_another_memory_is_refused(tmp_path: Path, ending: str) -> None:
    with pytest.raises(MemoryStoreError, match="DuckDB gives such a name to its logs; choose another db_path"):
        fail(tmp_path / f"m.duckdb{ending}")
    assert not list(tmp_path.iterdir())


def test_a_new_file_is_removed_an_empty_one_is_emptied_and_a_link_stays(tmp_path: Path) -> None:
    new, empty, link = (tmp_path / name for name in ("new", "empty", "link"))
    empty.touch()
    link.symlink_to(tmp_path / "target")
    for path in (new, empty, link):
        with pytest.raises(ValueError, match="no more"):
            fail(path)
    assert not new.exists()
    assert empty.stat().st_size == 0
    assert link.is_symlink()
    assert not link.exists()


def test_a_file_that_another_process_has_created_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    others = []

    def fail_beside_another() -> None:
        store = DuckDBMemoryStore(path)
        with left_as_it_was(store):
            others.append(
                subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            assert others[0].stdout
            assert others[0].stdout.readline() == b"\n"
            store.startup()

    try:
        with pytest.raises(MemoryStoreError, match="in use"):
            fail_beside_another()
        assert path.stat().st_size > 0
    finally:
        for other in others:
            other.kill()
            other.communicate()


def test_a_memory_that_another_process_has_created_and_left_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"

    def fail_after_another() -> None:
        store = DuckDBMemoryStore(path)
        with left_as_it_was(store):
            other = PROCESSES.Process(target=store_an_event, args=(path,))
            other.start()
            other.join(LIMIT_S)
            store.startup()
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        fail_after_another()
    assert n_events(path) == 1


def store_an_event(path: Path) -> None:
    with writing(path, DEFAULT_SCHEMA_VERSION) as store:
        store.insert_events([event()])


def test_a_memory_that_was_closed_before_the_failure_stays_for_others_can_have_read_it(tmp_path: Path) -> None:
    store = DuckDBMemoryStore(tmp_path / "m.duckdb")

    def fail_after_the_end() -> None:
        with left_as_it_was(store):
            store.startup()
            store.close()
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        fail_after_the_end()
    assert n_events(tmp_path / "m.duckdb") == 0


def test_nobody_can_open_a_memory_that_is_about_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.duckdb"
    said: list[str] = []
    remove = file_locks.remove_open

    def remove_beside_another(*args: Any, **options: Any) -> None:
        told = PROCESSES.SimpleQueue()
        other = PROCESSES.Process(target=begin, args=(path, False, told))
        other.start()
        said.append(told.get())
        other.join(LIMIT_S)
        remove(*args, **options)

    monkeypatch.setattr(file_locks, "remove_open", remove_beside_another)
    with pytest.raises(ValueError, match="no more"):
        fail(path)
    assert said == ["in use"]
    assert list(tmp_path.iterdir()) == []


def test_what_was_stored_before_a_block_that_fails_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    store_an_event(path)  # by this process
    with pytest.raises(ValueError, match="no more"), writing(path, DEFAULT_SCHEMA_VERSION):
        raise ValueError("no more")
    with pytest.raises(SchemaMismatchError), writing(path, "other"):
        pass
    assert n_events(path) == 1


@pytest.mark.parametrize("folder", ["by a link", "without a lock"])
def test_a_memory_that_another_process_makes_between_the_look_and_the_opening_is_opened_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "linked").mkdir()
    path = tmp_path / "m.duckdb"
    own_path = path
    if folder == "by a link":
        own_path = tmp_path / "linked" / "m.duckdb"
        own_path.symlink_to(path)
    else:
        monkeypatch.setattr(file_locks, "alone_in_folder", lambda _: nullcontext(False))
    connect = connect_duckdb

    def connect_after_another(*args: Any) -> Any:
        monkeypatch.setattr(database, "connect_duckdb", connect)
        other = PROCESSES.Process(target=store_an_event, args=(path,))
        other.start()
        other.join(1 if folder == "by a link" else LIMIT_S)  # else it waits for the folder
        others.append(other)
        return connect(*args)

    others: list[Any] = []
    monkeypatch.setattr(database, "connect_duckdb", connect_after_another)
    with pytest.raises(ValueError, match="no more"):
        fail(own_path, iteration=1)
    others[0].join(LIMIT_S)
    is_stored = others[0].exitcode == 0
    assert is_stored or folder == "by a link"  # where it waits for the folder, and then finds the memory in use
    assert path.exists() == is_stored


def test_a_memory_begins_at_the_target_of_a_link_to_an_empty_file(tmp_path: Path) -> None:
    target, link = tmp_path / "target.duckdb", tmp_path / "link.duckdb"
    target.touch()
    link.symlink_to(target)
    store_an_event(link)
    assert link.is_symlink()
    assert n_events(target) == 1


def test_what_is_stored_while_others_begin_the_same_memory_and_fail_is_there(tmp_path: Path) -> None:
    n_stored = 0
    for number in range(20):
        path, told = tmp_path / f"{number}.duckdb", PROCESSES.SimpleQueue()
        others = [PROCESSES.Process(target=begin, args=(path, fails, told)) for fails in (True, False, True)]
        for other in others:
            other.start()
        said = [told.get() for _ in others]
        for other in others:
            other.join(LIMIT_S)
        if "stored" in said:
            n_stored += 1
            assert n_events(path) == 1
        assert set(said) <= {"stored", "failed", "in use"}
    assert n_stored > 0


def begin(path: Path, fails: bool, told: Any) -> None:
    try:
        fail(path) if fails else store_an_event(path)
    except ValueError:
        told.put("failed")
    except MemoryStoreError as error:
        told.put("in use" if "in use" in str(error) else str(error))
    else:
        told.put("stored")


def test_who_keeps_a_folder_too_long_is_told(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with (
            pytest.raises(
                MemoryStoreError, match=r"m\.duckdb: another process has been opening a memory in its folder"
            ),
            alone_in_folder(tmp_path / "m.duckdb", limit_s=0.05),
        ):
            pass
    finally:
        os.close(folder)


def test_a_full_disk_leaves_nothing_of_a_new_memory(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, ExitStack() as later:

        def fill() -> None:
            with writing(disk / "m.duckdb", DEFAULT_SCHEMA_VERSION) as store:
                later.enter_context(full(disk))
                store.insert_events([event()])

        with pytest.raises(MemoryStoreError, match="No space left"):
            fill()
        assert [one.name for one in disk.iterdir()] == ["filler"]


HEADERS_BYTES, BLOCK_BYTES = 3 * 4096, 2**18


def read(path: Path) -> None:
    with reading(path, DEFAULT_SCHEMA_VERSION) as connection:
        for table in TABLES:
            connection.execute(f"FROM {table}").fetchall()


def write(path: Path) -> None:
    with writing(path, DEFAULT_SCHEMA_VERSION) as store:
        store.events("ctx")


def resume(path: Path) -> None:
    with closing(InProcessMemoryEngine(DuckDBMemoryStore(path))) as engine:
        engine.startup()
        engine.open_session(session())


@pytest.mark.parametrize("use", [read, write, resume])
def test_a_damaged_block_is_an_error_that_names_the_memory(tmp_path: Path, use: Callable[[Path], None]) -> None:
    path = tmp_path / "m.duckdb"
    with writing(path, DEFAULT_SCHEMA_VERSION) as store:
        reasons = [f"{number} requests failed" for number in range(400)]  # in blocks of their own
        store.insert_events([event(iteration=iteration, reasons=tuple(reasons)) for iteration in range(300)])
    whole = path.read_bytes()
    said = []
    for at in range(HEADERS_BYTES + 100, len(whole), BLOCK_BYTES):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            use(path)
        except MemoryStoreError as error:
            said.append(str(error))
    assert said
    for one in said:
        assert one.startswith(f"memory {path}: ")
        assert "Corrupt database file: computed" in one
