"""Reading a memory while another process writes to it."""

import gc
import os
import signal
import threading
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from peva_env.errors import MemoryStoreError, SchemaMismatchError
from peva_env.memory import file_locks, is_in_use
from peva_env.memory.snapshot import reading
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION, DuckDBMemoryStore
from tests.support.builders import event, session
from tests.support.forkserver import peva
from tests.support.running_memory import RunningMemory


def count(path: Path) -> int:
    with reading(path, DEFAULT_SCHEMA_VERSION) as connection:
        row = connection.execute("SELECT count(*) FROM execution_events").fetchone()
    assert row is not None
    return int(row[0])


def test_a_running_campaign_is_read_up_to_its_last_event(tmp_path: Path) -> None:
    # 25 events of 800 kB: more than the 16 MB after which DuckDB by itself folds its log into the database
    path = tmp_path / "m.duckdb"
    writer = RunningMemory(path)
    for n in range(1, 26):
        writer.tell(800_000)
        assert writer.answer() == n - 1
        if n in (1, 2) or n % 5 == 0:
            assert count(path) == n
    writer.end()
    assert count(path) == 25


def test_a_running_campaign_is_read_by_a_link_to_its_memory_too(tmp_path: Path) -> None:
    path, link = tmp_path / "m.duckdb", tmp_path / "link.duckdb"
    writer = RunningMemory(path)
    link.symlink_to(path)
    writer.tell(0)
    writer.answer()
    assert count(link) == 1
    writer.kill()
    assert count(link) == 1


def test_a_reader_that_comes_at_any_moment_finds_whole_events_and_disturbs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    writer = RunningMemory(path)
    seen = [0]
    for _ in range(4):
        writer.tell(*[20_000] * 25)
        seen.append(count(path))  # meanwhile
    while seen[-1] < 100:
        seen.append(count(path))
    assert [writer.answer() for _ in range(100)] == list(range(100))
    writer.end()
    assert seen == sorted(seen)
    assert count(path) == 100


def refused_elsewhere(path: Path) -> bool:
    """Tell whether another process may not write to a memory."""
    return "in use by process" in peva("memory", "merge", path.name, "other.duckdb").stderr


def test_who_has_a_memory_open_keeps_it_whatever_else_it_does_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, link, hard_link = tmp_path / "m.duckdb", tmp_path / "link.duckdb", tmp_path / "hard.duckdb"
    for one in (path, tmp_path / "other.duckdb"):
        with closing(DuckDBMemoryStore(one)) as store:
            store.startup()
    link.symlink_to(path)
    os.link(path, hard_link)
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert refused_elsewhere(path)
        assert count(path) == count(link) == 0
        assert not is_in_use(path)
        for name in (path, link, hard_link):
            with pytest.raises(MemoryStoreError, match=f"memory {name}: in use by this process; close what has it"):
                DuckDBMemoryStore(name).startup()
        assert refused_elsewhere(path)
        store.open_session(session())
        store.insert_events([event()])
        assert count(path) == 1
        assert refused_elsewhere(path)
    assert not refused_elsewhere(path)


def test_a_memory_that_was_open_when_its_process_was_forked_is_not_open_in_the_fork(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        child = os.fork()
        if not child:
            os._exit(is_in_use(path))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_a_connection_that_outlives_its_store_keeps_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("m.duckdb", "other.duckdb"):
        with closing(DuckDBMemoryStore(name)) as store:
            store.startup()
    store = DuckDBMemoryStore("m.duckdb")
    store.startup()
    connection = store.database.connection
    del store
    gc.collect()
    assert count(Path("m.duckdb")) == 0
    assert refused_elsewhere(Path("m.duckdb"))
    connection.close()


def test_a_process_that_is_forked_while_a_thread_looks_can_open_memories(tmp_path: Path) -> None:
    with closing(DuckDBMemoryStore(tmp_path / "m.duckdb")) as store:
        store.startup()
    ready, done = threading.Event(), threading.Event()

    def look() -> None:
        with file_locks.looking(tmp_path / "m.duckdb"):
            ready.set()
            done.wait(60)

    thread = threading.Thread(target=look)
    thread.start()
    ready.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which is what is tried
        child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            os._exit(count(tmp_path / "m.duckdb"))
        finally:
            os._exit(1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_memory_that_is_forgotten_without_a_close_can_be_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        DuckDBMemoryStore(tmp_path / "m.duckdb").startup()
        gc.collect()


def test_a_memory_that_nobody_writes_is_read_alike_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.open_session(session())
        store.insert_events([event()])
    before = path.read_bytes()
    assert count(path) == 1
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_memory_with_a_long_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / ("m" * (255 - len(".wal")))
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.open_session(session())
        store.insert_events([event()])
        assert count(path) == 1
    assert count(path) == 1


def test_what_cannot_be_read_is_called_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    with pytest.raises(MemoryStoreError, match=r"m\.duckdb: there is no such file"):
        count(path)
    path.write_text("hello")
    with pytest.raises(MemoryStoreError, match=f"memory {path}: is not a DuckDB database"):
        count(path)
    path.unlink()
    with closing(DuckDBMemoryStore(path, schema_version="other")) as store:
        store.startup()
    with pytest.raises(SchemaMismatchError, match=f"memory {path}: schema_version is 'other'"):
        count(path)


def test_an_empty_file_is_no_memory_to_read(tmp_path: Path) -> None:
    (tmp_path / "m.duckdb").touch()
    with pytest.raises(MemoryStoreError, match="is an empty file"), reading(tmp_path / "m.duckdb", "peva_faas_mem_v1"):
        pass


@pytest.mark.parametrize("n_bytes", [4096, 8192])
def test_a_memory_that_is_cut_off_in_its_headers_is_none_to_read(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "m.duckdb"
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(MemoryStoreError, match=rf"m\.duckdb: ends after {n_bytes:,} bytes"):
        count(path)
    assert path.stat().st_size == n_bytes


def test_a_damaged_memory_is_called_by_its_own_name_wherever_duckdb_finds_it(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events([event(iteration=number) for number in range(100)])
    whole = path.read_bytes()
    for n_bytes in range(12_288, len(whole) // 2, 65_536):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(MemoryStoreError) as caught, reading(path, DEFAULT_SCHEMA_VERSION) as connection:
            connection.execute("SELECT sum(hash(events)) FROM execution_events events").fetchall()
        assert "peva-snapshot" not in str(caught.value)


def test_a_pipe_or_a_device_is_no_memory_to_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(MemoryStoreError, match=f"memory {path}: is no regular file"):
            count(path)
