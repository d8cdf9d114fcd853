"""What a killed process leaves behind: all that was acknowledged, in a file that opens. And a file that must not."""

import random
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from peva_env.errors import MemoryStoreError
from peva_env.memory.engine import InProcessMemoryEngine
from peva_env.memory.store import DuckDBMemoryStore
from tests.support.builders import RecordingPolicy, event, session
from tests.support.forkserver import PROCESSES

FILES, KILLS_A_FILE = 3, 10
WAIT_FOR_AN_EVENT = 0.7  # the share of kills that come after a first event; the others hit the opening and its recovery
LONGEST_LIFE_S = 0.15


def ingest_for_ever(path: str, run: str, acknowledged: Connection) -> None:
    """Store events until killed, and name each one once ``ingest_event`` has returned."""
    engine = InProcessMemoryEngine(DuckDBMemoryStore(path))
    engine.startup()
    engine.open_session(session(run))
    engine.attach_policy(RecordingPolicy(), agent="recorder")
    for iteration in count():
        summary = {"text": random.randbytes(2000).hex()}  # noqa: S311
        engine.ingest_event(event([("a", iteration % 20)], iteration, run_id=run, raw_summary=summary))
        acknowledged.send(iteration)


def received(acknowledged: Connection) -> Iterator[int]:
    """Yield what was sent, until the sender is dead and its pipe is empty."""
    try:
        while True:
            yield acknowledged.recv()
    except EOFError:
        return


def live_and_die(path: Path, run: str, chance: random.Random) -> set[tuple[str, int]]:
    """Let a process ingest for a random while, kill it for real, and return what it had acknowledged."""
    ours, its = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=ingest_for_ever, args=(str(path), run, its))
    process.start()
    its.close()
    if chance.random() < WAIT_FOR_AN_EVENT:
        ours.poll(30)
    time.sleep(chance.uniform(0, LONGEST_LIFE_S))
    assert process.is_alive(), "it could not open or write what the one before it left"
    process.kill()
    process.join()
    return {(run, iteration) for iteration in received(ours)}


def test_a_campaign_only_adds_to_the_log_which_is_folded_into_the_file_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "memory.duckdb"
    engine = InProcessMemoryEngine(DuckDBMemoryStore(path))
    engine.startup()
    engine.open_session(session("run"))
    engine.store.database.connection.execute("CHECKPOINT")
    before = path.read_bytes()
    for iteration in range(60):  # 24 MB; DuckDB would fold 16
        summary = {"text": random.randbytes(200_000).hex()}  # noqa: S311
        engine.ingest_event(event(None, iteration, run_id="run", raw_summary=summary))
    assert path.read_bytes() == before
    engine.close()
    assert path.read_bytes() != before


@pytest.mark.parametrize("seed", range(FILES))
def test_kill_9_at_any_moment_loses_nothing_that_was_ingested(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "memory.duckdb", random.Random(seed)  # noqa: S311
    runs = [f"run{number}" for number in range(KILLS_A_FILE)]
    told = set[tuple[str, int]]().union(*(live_and_die(path, run, chance) for run in runs))
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        stored = {(one.run_id, one.iteration) for one in store.events("ctx")}
        assert told, "no process lived long enough to store anything"
        assert told <= stored
        assert len(stored) <= len(told) + len(runs), "at most the run in progress may be there without being told"
        assert_whole(store)


def assert_whole(store: DuckDBMemoryStore) -> None:
    """Check that the tables of a memory agree with each other, whatever was cut short."""
    rows = store.database.connection.execute
    keys = "config_id, iteration, repetition, run_id"
    assert rows(f"SELECT {keys} FROM execution_events EXCEPT SELECT {keys} FROM k6_raw_summaries").fetchall() == []  # noqa: S608
    assert rows(f"SELECT {keys} FROM k6_raw_summaries EXCEPT SELECT {keys} FROM execution_events").fetchall() == []  # noqa: S608
    catalogued = rows("SELECT config_id FROM config_catalog ORDER BY 1").fetchall()
    assert catalogued == rows("SELECT DISTINCT config_id FROM execution_events ORDER BY 1").fetchall()
    assert rows("SELECT DISTINCT status FROM run_sessions").fetchall() == [("crashed",)]
    # An update is stored in one transaction with the event that triggers it.
    n_events = "SELECT run_id, count(*) AS n FROM execution_events GROUP BY run_id"
    n_updates = "SELECT run_id, count(*) AS n FROM policy_updates GROUP BY run_id"
    lost = f"SELECT e.n - coalesce(u.n, 0) FROM ({n_events}) e LEFT JOIN ({n_updates}) u USING (run_id)"  # noqa: S608
    assert {n for (n,) in rows(lost).fetchall()} == {0}


N_BIRTHS = 20
LONGEST_BIRTH_S = 0.04


def open_memories(folder: str, begun: Connection) -> None:
    """Create one memory after the other until killed."""
    for number in count():
        begun.send(number)
        DuckDBMemoryStore(Path(folder, f"{number}.duckdb")).startup()


@pytest.mark.filterwarnings("default:memory .* was cut off")
def test_kill_9_while_a_memory_is_created_leaves_a_file_that_opens(tmp_path: Path) -> None:
    chance = random.Random(0)  # noqa: S311
    for birth in range(N_BIRTHS):
        folder = tmp_path / str(birth)
        folder.mkdir()
        ours, its = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=open_memories, args=(str(folder), its))
        process.start()
        its.close()
        ours.poll(30)
        time.sleep(chance.uniform(0, LONGEST_BIRTH_S))
        process.kill()
        process.join()
        for number in received(ours):
            with closing(DuckDBMemoryStore(folder / f"{number}.duckdb")) as store:
                store.startup()
                store.insert_events([event()])


# A file of a DuckDB that is still to come

HEADER_BYTES = 4096
CHECKSUM_AT, VERSION_AT = 0, 12


def checksum(block: bytearray) -> int:
    """Return DuckDB's checksum of a block: a seed, and each 8-byte word times an odd constant, joined by XOR."""
    result = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        result ^= word * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    return result


def set_storage_version(path: Path, version: int) -> None:
    content = bytearray(path.read_bytes())
    (stored,) = struct.unpack_from("<Q", content, CHECKSUM_AT)
    assert stored == checksum(content[8:HEADER_BYTES]), "DuckDB has another checksum now: this test must learn it"
    struct.pack_into("<Q", content, VERSION_AT, version)
    struct.pack_into("<Q", content, CHECKSUM_AT, checksum(content[8:HEADER_BYTES]))
    path.write_bytes(content)


def test_a_file_of_a_newer_duckdb_is_refused_unchanged_in_one_line_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "memory.duckdb"
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events([event()])
    set_storage_version(path, 9999)
    before = path.read_bytes()
    with pytest.raises(MemoryStoreError, match="version number 9999") as caught:
        DuckDBMemoryStore(path).startup()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "newer DuckDB" in str(caught.value)
    assert path.read_bytes() == before
