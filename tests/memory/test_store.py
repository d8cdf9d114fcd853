"""The store: six strict tables in one DuckDB file, written in whole transactions or not at all."""

import json
import math
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from peva_env.contracts import EndStatus, ExecutionEvent, NodeMeasurement, Verdict
from peva_env.errors import MemoryStoreError, SchemaMismatchError
from peva_env.memory import reading, schema, summarize_memory
from peva_env.memory.duckdb_errors import duckdb_problem, naming
from peva_env.memory.event_writer import PolicyUpdate
from peva_env.memory.store import DuckDBMemoryStore, Session
from tests.support.builders import event, full, function, session, small_disk, without_privileges
from tests.support.running_memory import RunningMemory, held
from tests.support.strategies import events

LABEL = "peva_faas_mem_v1"
TABLES = {
    "memory_schema_meta",
    "run_sessions",
    "config_catalog",
    "execution_events",
    "policy_updates",
    "k6_raw_summaries",
}
SESSIONS_OF_ANOTHER_KEY = replace(schema.TABLES["run_sessions"], key=("run_id", "repetition"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[DuckDBMemoryStore]:
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        yield store


def query(store: DuckDBMemoryStore, sql: str) -> list[tuple[Any, ...]]:
    return store.database.connection.execute(sql).fetchall()


def count(store: DuckDBMemoryStore, table: str) -> int:
    return int(str(query(store, f"SELECT count(*) FROM {table}")[0][0]))  # noqa: S608


def make(path: Path, *, label: str = LABEL) -> None:
    """Make a memory file with one event, and close it."""
    with closing(DuckDBMemoryStore(path, schema_version=label)) as store:
        store.startup()
        store.insert_events([event()])


def alter(path: Path, statement: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)


def refusal(path: Path) -> str:
    """Return the one line with which a store refuses a file."""
    with closing(DuckDBMemoryStore(path)) as store, pytest.raises(MemoryStoreError) as caught:
        store.startup()
    assert not store.database.is_open
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


# What a started store is


def test_a_number_that_was_not_measured_is_missing_and_never_nan_or_infinite(store: DuckDBMemoryStore) -> None:
    node = NodeMeasurement(cpu_pct=math.nan, ram_pct=30.0)
    run = event(node=node, margin=math.inf, functions=(function(p95_ms=math.nan, cpu_pct=-math.inf),))
    assert store.insert_events([run]) == 1
    assert store.insert_events([run]) == 0  # the same event again
    stored = store.events("ctx")[0]
    assert (stored.node.cpu_pct, stored.margin) == (None, None)
    assert (stored.functions[0].p95_ms, stored.functions[0].cpu_pct) == (None, None)
    assert stored.node.ram_pct == 30.0


@pytest.mark.parametrize("values", [{"cost_s": math.nan}, {"functions": (function(success_rate=math.inf),)}], ids=str)
def test_an_event_without_a_number_that_each_has_is_refused(store: DuckDBMemoryStore, values: dict[str, Any]) -> None:
    with pytest.raises(MemoryStoreError, match=r"(cost_s is nan|success_rate is inf), not a finite number"):
        store.insert_events([event(**values)])
    assert count(store, "execution_events") == 0


def test_startup_makes_the_six_tables_and_the_folder(tmp_path: Path) -> None:
    with closing(DuckDBMemoryStore(tmp_path / "new" / "folder" / "memory.duckdb")) as store:
        store.startup()
        assert {name for (name,) in query(store, "SELECT table_name FROM duckdb_tables()")} == TABLES


def test_the_schema_label_is_the_default_or_the_one_given(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    assert store.schema_version() == LABEL
    with closing(DuckDBMemoryStore(tmp_path / "other.duckdb", schema_version="mine_v2")) as other:
        other.startup()
        assert other.schema_version() == "mine_v2"


def test_startup_twice_is_startup_once(store: DuckDBMemoryStore) -> None:
    store.startup()
    assert count(store, "memory_schema_meta") == 1


def test_a_store_that_was_not_started_says_so(path: Path) -> None:
    with pytest.raises(MemoryStoreError, match="call startup"):
        DuckDBMemoryStore(path).insert_events([event()])


def test_validate_preload_schema_takes_its_own_label_only(store: DuckDBMemoryStore) -> None:
    store.validate_preload_schema(LABEL)
    with pytest.raises(ValueError, match="schema_version") as caught:
        store.validate_preload_schema("peva_faas_mem_v2")
    assert isinstance(caught.value, SchemaMismatchError)


# What is refused, and left as it was


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("UPDATE memory_schema_meta SET schema_version = 'v9'", "schema_version is 'v9'"),
        ("DELETE FROM memory_schema_meta", "schema_version is ''"),
        ("DROP TABLE policy_updates", "table policy_updates is missing"),
        ("CREATE TABLE extra (x INTEGER)", "table extra does not belong"),
        ("CREATE SCHEMA s; CREATE TABLE s.run_sessions AS FROM run_sessions", "table s.run_sessions does not belong"),
        ("ALTER TABLE execution_events RENAME margin TO slack", "has slack DOUBLE where margin DOUBLE should be"),
        ("ALTER TABLE policy_updates ALTER score TYPE FLOAT", "has score FLOAT where score DOUBLE should be"),
        ("ALTER TABLE run_sessions ADD COLUMN note VARCHAR", "has a column note too many"),
        ("ALTER TABLE policy_updates DROP score", "has nothing where score DOUBLE should be"),
        (
            "INSERT INTO memory_schema_meta VALUES ('v9', 1, '')",
            "table memory_schema_meta has the labels 'peva_faas_mem_v1', 'v9' where one should be",
        ),
        (
            "CREATE TABLE c AS FROM policy_updates; DROP TABLE policy_updates; ALTER TABLE c RENAME TO policy_updates",
            "table policy_updates has no primary key where run_id, update_index should be",
        ),
        (
            f"DROP TABLE run_sessions; {SESSIONS_OF_ANOTHER_KEY.ddl('run_sessions')}",
            "table run_sessions has the primary key run_id, repetition where run_id should be",
        ),
    ],
)
def test_any_difference_of_schema_is_named_and_changes_nothing(path: Path, statement: str, difference: str) -> None:
    make(path)
    alter(path, statement)
    before = path.read_bytes()
    assert difference in refusal(path)
    assert path.read_bytes() == before


def test_a_file_of_another_label_is_refused_as_a_schema_mismatch(path: Path) -> None:
    make(path, label="peva_faas_mem_v0")
    with pytest.raises(SchemaMismatchError, match="schema_version"):
        DuckDBMemoryStore(path).startup()


def test_someone_elses_database_is_refused_unchanged(path: Path) -> None:
    alter(path, "CREATE TABLE recipes (name VARCHAR)")
    before = path.read_bytes()
    assert "table config_catalog is missing" in refusal(path)
    assert path.read_bytes() == before


def test_a_long_query_draws_no_progress_on_standard_output(path: Path) -> None:
    # DuckDB takes `python -c` for a person at a prompt, to whom it shows the progress of what takes over 2 s.
    asked = "SELECT current_setting('enable_progress_bar')"
    code = f"""
import sys, duckdb
from peva_env.memory.connecting import connect_duckdb
print(duckdb.connect().execute("{asked}").fetchone()[0], connect_duckdb(sys.argv[1]).execute("{asked}").fetchone()[0])
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_foreign_database_whose_process_was_killed_is_not_even_checkpointed(
    path: Path, tmp_path_factory: pytest.TempPathFactory, through_a_link: bool
) -> None:
    code = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE t (a INT)'); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert len(before) == 2, "the log of the killed process should lie beside its file"
    link = tmp_path_factory.mktemp("elsewhere") / "link.duckdb"
    link.symlink_to(path)
    refusal(link if through_a_link else path)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize(
    "content", [b"figlet;env\n" * 500, b"SQLite format 3\0" + b"\0" * 4080, b"my DUCK", b"1 goose\nDUCKs"]
)
def test_a_file_that_is_no_duckdb_database_is_refused_unchanged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "is not a DuckDB database" in refusal(path)
    assert path.read_bytes() == content


def test_a_file_with_a_damaged_header_is_refused_unchanged(path: Path) -> None:
    make(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 12, 9999)  # where the storage version is: its checksum no longer fits
    path.write_bytes(content)
    refusal(path)
    assert path.read_bytes() == content


def test_a_folder_is_no_memory_file(tmp_path: Path) -> None:
    refusal(tmp_path)


@pytest.mark.parametrize(
    "name", ["a?b.duckdb", "a#b.duckdb", "md:b", "file:b.duckdb", "b?access_mode=READ_ONLY", "ü %20"]
)
def test_any_name_is_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for iteration in (0, 1):
        with closing(DuckDBMemoryStore(name)) as store:
            store.startup()
            store.insert_events([event(iteration=iteration)])
            assert len(store.events("ctx")) == iteration + 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_path_in_the_home_folder_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for iteration in (0, 1):
        with closing(DuckDBMemoryStore("~/m.duckdb")) as store:
            store.startup()
            store.insert_events([event(iteration=iteration)])
            assert len(store.events("ctx")) == iteration + 1
    assert (tmp_path / "m.duckdb").exists()


@pytest.mark.parametrize(("path", "said"), [("", "must not be empty"), ("s3://bucket/m.duckdb", "not a URL")])
def test_what_is_no_path_on_this_machine_is_refused(path: str, said: str) -> None:
    with pytest.raises(MemoryStoreError, match=said):
        DuckDBMemoryStore(path)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.duckdb"
    if kind == "pipe":
        os.mkfifo(path)
    elif os.geteuid():
        pytest.skip("only root can make a device")
    else:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # another /dev/null
    before = path.stat().st_ino
    assert "is no regular file" in refusal(path)
    assert path.stat().st_ino == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot be created" in refusal(tmp_path / "file" / "memory.duckdb")


def test_an_unwritable_folder_is_one_clear_line() -> None:
    with without_privileges() as folder:
        folder.chmod(0o555)
        assert "Permission denied" in refusal(folder / "memory.duckdb")
        folder.chmod(0o755)


def test_a_read_only_file_is_refused_unchanged() -> None:
    with without_privileges() as folder:
        path = folder / "memory.duckdb"
        make(path)
        path.chmod(0o444)
        before = path.read_bytes()
        assert "Permission denied" in refusal(path)
        assert path.read_bytes() == before


def test_a_memory_in_use_names_who_uses_it_and_what_to_do(path: Path) -> None:
    with held(path) as holder:
        message = refusal(path)
    assert f"process {holder.pid}" in message
    assert "python" in message
    assert "choose another db_path" in message


LOCKED = 'IO Error: Could not set lock on file "/m.duckdb": '


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Conflicting lock is held in /opt/my apps/my python (PID 12). See also https://duckdb.org",
            "in use by process 12 (my python); wait for it, stop it, or choose another db_path",
        ),
        ("Conflicting lock is held in PID 34. See also", "in use by process 34; wait"),
        ("Conflicting lock is held in PID 0. See also", "in use by a process of another machine or container; wait"),
        (
            "Operation not supported",
            "cannot lock files (Operation not supported), as many network drives cannot; choose",
        ),
        ("No locks available", "choose an output_dir on a local disk"),
        ("Function not implemented. See also https://duckdb.org", "cannot lock files (Function not implemented), as"),
        (
            "File locks are not supported for this file system, cannot open the file in read-write mode. Try",
            "cannot lock files (File locks are not supported for this file system), as many",
        ),
        ("Resource temporarily unavailable. See also", "in use by another process; wait"),
        ("Permission denied. See also", "in use by another process; wait"),
    ],
)
def test_a_lock_that_cannot_be_had_is_told_with_the_cure(text: str, said: str) -> None:
    assert said in duckdb_problem(duckdb.IOException(LOCKED + text))


def test_a_holder_whose_process_cannot_be_seen_is_no_process_0(path: Path) -> None:
    opening = "import sys, duckdb; duckdb.connect(sys.argv[1])"
    elsewhere = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    with held(path):
        ended = subprocess.run([*elsewhere, sys.executable, "-c", opening, path], capture_output=True, text=True)
    if "lock" not in ended.stderr:
        pytest.skip(f"this machine makes no process namespaces: {ended.stderr.strip()}")
    problem = duckdb_problem(duckdb.IOException(ended.stderr.strip().splitlines()[-1]))
    assert problem.startswith("in use by a process of another machine or container")


def test_a_memory_open_in_this_very_process_is_refused_and_its_session_still_runs(
    store: DuckDBMemoryStore, path: Path
) -> None:
    store.open_session(session())
    assert "this process" in refusal(path)
    assert query(store, "SELECT status FROM run_sessions") == [("running",)]


def test_a_memory_without_a_log_that_is_open_in_this_very_process_is_refused(path: Path) -> None:
    make(path)
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert not path.with_name(f"{path.name}.wal").exists()
        assert "this process" in refusal(path)


# Events


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_event=events())
def test_what_is_stored_comes_back_as_it_was(store: DuckDBMemoryStore, given_event: ExecutionEvent) -> None:
    query(store, "DELETE FROM execution_events")
    query(store, "DELETE FROM k6_raw_summaries")
    assert store.insert_events([given_event]) == 1
    assert store.events("ctx") == [given_event]
    assert store.events("ctx", given_event.repetition) == [given_event]
    assert store.insert_events([given_event]) == 0
    raw = query(store, "SELECT summary_json FROM k6_raw_summaries")
    assert [json.loads(str(text)) for (text,) in raw] == [
        summary for summary in [given_event.raw_summary] if summary is not None
    ]


def test_events_are_there_after_closing_and_opening_again(path: Path) -> None:
    make(path)
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert store.events("ctx") == [event()]


def test_the_same_event_twice_changes_nothing(store: DuckDBMemoryStore) -> None:
    summary: dict[str, Any] = {"metrics": {}}
    assert store.insert_events([event(raw_summary=summary)]) == 1
    assert store.insert_events([event(raw_summary=summary)]) == 0
    assert [count(store, table) for table in ("execution_events", "config_catalog", "k6_raw_summaries")] == [1, 1, 1]


def test_another_event_under_the_same_key_is_an_error_and_changes_nothing(store: DuckDBMemoryStore) -> None:
    store.insert_events([event()])
    with pytest.raises(MemoryStoreError, match="another event is stored"):
        store.insert_events([event(verdict=Verdict.OVERLOADED)])
    assert store.events("ctx") == [event()]


def test_a_batch_is_stored_whole_or_not_at_all(store: DuckDBMemoryStore) -> None:
    store.insert_events([event()])
    with pytest.raises(MemoryStoreError):
        store.insert_events([event([("b", 5)]), event(verdict=Verdict.OVERLOADED)])
    assert store.events("ctx") == [event()]
    assert count(store, "config_catalog") == 1


def test_repeats_within_a_batch_are_stored_once(store: DuckDBMemoryStore) -> None:
    assert store.insert_events([event(), event(iteration=1), event()]) == 2
    assert store.insert_events([event(iteration=2), event()]) == 1
    assert [stored.iteration for stored in store.events("ctx")] == [0, 1, 2]


@pytest.mark.parametrize("change", [{"iteration": 1}, {"repetition": 2}, {"run_id": "other"}])
def test_iteration_repetition_and_run_tell_events_apart(store: DuckDBMemoryStore, change: dict[str, Any]) -> None:
    changed: ExecutionEvent = event(**change)
    assert store.insert_events([event(), changed]) == 2
    assert count(store, "config_catalog") == 1


def test_the_database_itself_holds_event_keys_unique(store: DuckDBMemoryStore) -> None:
    store.insert_events([event()])
    with pytest.raises(duckdb.ConstraintException):
        query(store, "INSERT INTO execution_events SELECT * FROM execution_events")


@pytest.mark.parametrize(
    "functions",
    [
        (function("b", 20), function("a", 10)),
        (function("b", 20),),
        (function("a", 10), function("b", 21)),
        (function("a", 10), function("b", 20), function("c", 1)),
    ],
)
def test_measurements_of_other_functions_than_the_configurations_are_refused(
    store: DuckDBMemoryStore, functions: tuple[object, ...]
) -> None:
    with pytest.raises(MemoryStoreError, match="functions"):
        store.insert_events([event([("a", 10), ("b", 20)], functions=functions)])
    assert count(store, "execution_events") == 0


def test_the_catalogue_describes_each_configuration(store: DuckDBMemoryStore) -> None:
    stored = event([("a", 10), ("b", 20)])
    store.insert_events([stored])
    assert query(store, "FROM config_catalog") == [(stored.config_id, ["a", "b"], [10, 20], 2, 30)]


def test_a_value_that_no_column_can_hold_is_a_clear_error_and_the_store_goes_on(store: DuckDBMemoryStore) -> None:
    with pytest.raises(MemoryStoreError, match="cannot store an event"):
        store.insert_events([event([("a", 2**40)])])
    store.insert_events([event()])
    assert count(store, "execution_events") == 1


# Sessions and policy updates


def test_a_session_records_who_measured_and_how_it_ended(store: DuckDBMemoryStore) -> None:
    store.open_session(session(seed=7, k6_version="1.1.0", package_version="0.1"))
    store.name_agent("run", "cartesian")
    store.close_session("run", EndStatus.FAILED, "disk full")
    columns = "run_id, repetition, status, detail, selection_mode, agent, seed, context_hash, context_json, k6_version"
    assert query(store, f"SELECT {columns}, package_version FROM run_sessions") == [  # noqa: S608
        ("run", 1, "failed", "disk full", "online", "cartesian", 7, "ctx", '{"node": "ctx"}', "1.1.0", "0.1")
    ]
    assert query(store, "SELECT started_at <= ended_at FROM run_sessions") == [(True,)]


def test_a_session_of_the_same_run_and_context_goes_on(store: DuckDBMemoryStore) -> None:
    store.open_session(session())
    store.close_session("run", EndStatus.INTERRUPTED, "Ctrl-C")
    store.open_session(session())
    assert query(store, "SELECT run_id, status, detail FROM run_sessions") == [("run", "running", None)]
    assert [one.ended_at for one in summarize_memory(store.database.connection).campaigns] == [None]


@pytest.mark.parametrize("other", [session(context_hash="moved"), session(repetition=2)])
def test_the_run_id_of_another_campaign_is_refused(store: DuckDBMemoryStore, other: Session) -> None:
    store.open_session(session())
    said = r"context ctx, repetition 1, begun .* instead of node unknown, context .*; choose another run_id"
    with pytest.raises(MemoryStoreError, match=said) as caught:
        store.open_session(other)
    assert f"context {other.context_hash}, repetition {other.repetition};" in str(caught.value)


def test_the_session_of_a_killed_process_is_found_crashed(path: Path) -> None:
    with held(path, "held"):
        pass  # until it is killed
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert query(store, "SELECT run_id, status FROM run_sessions") == [("held", "crashed")]


def test_policy_updates_are_numbered_within_their_run(store: DuckDBMemoryStore) -> None:
    assert store.next_update_index("one") == 0
    store.insert_events([event()], [PolicyUpdate("one", 0, 1.0, "Greedy", "online", 1, 0.5)])
    store.insert_events([], [PolicyUpdate("one", 1, 2.0, "Greedy", "online", 1)])
    store.insert_events([], [PolicyUpdate("two", 0, 3.0, "Greedy", "micro_batch", 8)])
    assert store.next_update_index("one") == 2
    assert query(store, "SELECT * EXCLUDE updated_at FROM policy_updates ORDER BY ALL") == [
        ("one", 0, "Greedy", "online", 1, 0.5),
        ("one", 1, "Greedy", "online", 1, None),
        ("two", 0, "Greedy", "micro_batch", 8, None),
    ]


def test_the_last_repetition_is_that_of_the_same_context(store: DuckDBMemoryStore) -> None:
    assert store.last_repetition("ctx") == 0
    store.insert_events([event(repetition=2), event(repetition=5, context_hash="moved", run_id="other")])
    assert store.last_repetition("ctx") == 2


def test_a_campaign_does_not_go_on_with_a_recheck(store: DuckDBMemoryStore) -> None:
    for run_id, repetition in (("first", 1), ("check", 2)):
        store.open_session(session(run_id, repetition=repetition))
        store.insert_events([event(run_id=run_id, repetition=repetition)])
    store.name_agent("check", "recheck")
    assert store.last_repetition("ctx") == 2
    assert store.last_repetition("ctx", rechecks=False) == 1


# Disks that are full


def ingest_until_refused(store: DuckDBMemoryStore) -> None:
    for iteration in range(1, 1000):
        store.insert_events([event(iteration=iteration, raw_summary={"text": os.urandom(9999).hex()})])


def test_a_full_disk_is_a_clear_error_and_costs_nothing_that_was_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "memory.duckdb"
        make(path)
        with closing(DuckDBMemoryStore(path)) as store:
            store.startup()
            with full(disk), pytest.raises(MemoryStoreError, match="cannot store an event") as caught:
                ingest_until_refused(store)
        assert "\n" not in str(caught.value)
        with closing(DuckDBMemoryStore(path)) as store:
            store.startup()
            found = [stored.iteration for stored in store.events("ctx")]
            assert found == list(range(len(found)))
            assert found[0] == 0
            store.insert_events([replace(event(), run_id="after")])


def test_a_full_disk_lets_no_memory_be_made(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, full(disk):
        refusal(disk / "memory.duckdb")


def test_an_empty_file_is_a_new_memory(tmp_path: Path) -> None:
    (tmp_path / "m.duckdb").touch()  # what a disk that was full leaves
    with closing(DuckDBMemoryStore(tmp_path / "m.duckdb")) as store:
        store.startup()
        assert store.schema_version() == "peva_faas_mem_v1"


@pytest.mark.parametrize("n_bytes", [4096, 8192])
def test_a_file_that_was_cut_off_in_its_headers_is_begun_anew(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "m.duckdb"
    make(path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with closing(DuckDBMemoryStore(path)) as store:
        with pytest.warns(UserWarning, match=r"was cut off at .* begun anew"):
            store.startup()
        store.insert_events([event()])
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert store.events("ctx") == [event()]


@pytest.mark.parametrize("n_bytes", [4096, 8192])
def test_a_cut_off_file_with_a_log_beside_it_is_left_alone(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "m.duckdb"
    make(path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    log = path.with_name("m.duckdb.wal")
    log.write_bytes(b"rows")
    link = tmp_path / "link.duckdb"
    link.symlink_to(path)
    for name in (path, link):
        refusal(name)
        assert (path.stat().st_size, log.read_bytes()) == (n_bytes, b"rows")


def test_a_file_that_another_process_is_creating_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    make(path)
    path.write_bytes(path.read_bytes()[:4096])
    locking = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(); sys.stdin.read()"
    )
    creating = subprocess.Popen([sys.executable, "-c", locking, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert creating.stdout
        assert creating.stdout.readline() == b"\n"
        assert "another process is creating it; try again" in refusal(path)
        assert path.stat().st_size == 4096
    finally:
        creating.kill()
        creating.communicate()


@pytest.mark.parametrize("n_bytes", [12288, 100_000])
def test_a_file_that_was_cut_off_in_its_data_is_refused_unchanged(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "m.duckdb"
    make(path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert "\n" not in refusal(path)
    assert path.stat().st_size == n_bytes


@pytest.mark.parametrize("ending", [".wal", ".wal.checkpoint"])
def test_a_log_without_its_memory_is_refused_and_stays(tmp_path: Path, ending: str) -> None:
    path, moved = tmp_path / "m.duckdb", tmp_path / "moved.duckdb"
    running = RunningMemory(path)
    running.tell(0)
    running.answer()
    running.kill()
    path.rename(moved)
    log = path.with_name(f"m.duckdb{ending}")
    path.with_name("m.duckdb.wal").rename(log)
    before = log.read_bytes()
    assert f"there is only its log, m.duckdb{ending}, which can hold runs; put the memory back" in refusal(path)
    assert (log.read_bytes(), path.exists()) == (before, False)
    if ending == ".wal":
        moved.rename(path)
        with closing(DuckDBMemoryStore(path)) as store:
            store.startup()
            assert len(store.events("ctx")) == 1


def test_a_log_of_another_state_of_the_memory_is_named_with_the_cure(tmp_path: Path) -> None:
    path, other = tmp_path / "m.duckdb", tmp_path / "other.duckdb"
    make(other)
    running = RunningMemory(path)
    running.tell(0)
    running.answer()
    running.kill()
    other.replace(path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert "its log (the file beside it with .wal at the end) is of another state of the file" in refusal(path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


# A file that is taken away while it is in use


def test_who_ends_after_its_memory_was_replaced_leaves_the_log_of_the_new_one(path: Path) -> None:
    store = DuckDBMemoryStore(path)
    store.startup()
    store.insert_events([event()])
    path.unlink()
    path.with_name(f"{path.name}.wal").unlink()
    running = RunningMemory(path)
    running.tell(0)
    running.answer()
    store.close()
    running.kill()
    with closing(DuckDBMemoryStore(path)) as new:
        new.startup()
        assert len(new.events("ctx")) == 1


def test_who_ends_after_its_memory_was_moved_leaves_all_runs_in_it(path: Path) -> None:
    moved = path.with_name("moved.duckdb")
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events([event()])
        path.rename(moved)
    assert list(path.parent.iterdir()) == [moved]
    with closing(DuckDBMemoryStore(moved)) as store:
        store.startup()
        assert len(store.events("ctx")) == 1


def test_a_backup_that_is_put_in_the_place_of_an_open_memory_stays_as_it_is(path: Path) -> None:
    make(path)
    backup = path.read_bytes()
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events([event()])
        path.unlink()
        path.write_bytes(backup)
        with pytest.raises(MemoryStoreError, match="deleted, moved or replaced"):
            store.insert_events([event(iteration=1)])
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == {path.name: backup}


UNCLOSED = """
import pathlib, sys
from peva_env.memory import DuckDBMemoryStore
from tests.support.builders import event
store = DuckDBMemoryStore(sys.argv[1])
store.startup()
store.insert_events([event()])
print(flush=True)
sys.stdin.readline()
"""


def test_a_campaign_does_not_end_before_its_last_event(
    store: DuckDBMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the clock was set back since."""
    store.open_session(session())
    last = store.clock.ordered(event(started_at=time.time(), ended_at=time.time() + 10))
    store.insert_events([last])
    monkeypatch.setattr("time.time", lambda: 500.0)
    store.close_session("run", EndStatus.COMPLETE)
    assert store.completed_at("ctx", 1) >= last.ended_at


@pytest.mark.parametrize("ends", [True, False])
def test_what_begins_after_the_clock_was_set_back_is_later_than_all_before(
    store: DuckDBMemoryStore, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    begun: list[str] = []
    for machine_s in (3000.0, 2000.0, 2000.0, 4000.0, 1000.0):
        monkeypatch.setattr("time.time", lambda now=machine_s: now)
        run_id = str(machine_s + len(begun))
        store.open_session(session(run_id))
        begun.append(run_id)
        store.insert_events([store.clock.ordered(event(run_id=run_id, started_at=machine_s, ended_at=machine_s + 2))])
        if ends:
            store.close_session(run_id, EndStatus.COMPLETE)
    in_order = query(store, "SELECT run_id FROM run_sessions ORDER BY started_at")
    assert [run_id for (run_id,) in in_order] == begun
    times = query(
        store,
        "SELECT s.started_at, e.started_at, e.ended_at FROM run_sessions s JOIN execution_events e USING (run_id) "
        "ORDER BY s.started_at",
    )
    assert all(began <= ran < ended for began, ran, ended in times)
    assert all(before[-1] < after[0] for before, after in pairwise(times))


def test_a_campaign_that_goes_on_keeps_its_start_and_its_events_follow_all_others(
    store: DuckDBMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.open_session(session("first"))
    (begun,) = query(store, "SELECT started_at FROM run_sessions")
    other = event(run_id="other", started_at=time.time() + 3600, ended_at=time.time() + 3602)
    store.insert_events([other])
    monkeypatch.setattr("time.time", lambda: 1000.0)
    store.open_session(session("first"))
    assert query(store, "SELECT started_at FROM run_sessions") == [begun]
    assert store.clock.ordered(event(started_at=1000.0, ended_at=1002.0)).started_at > other.ended_at


def test_a_time_that_is_no_number_is_not_the_latest(store: DuckDBMemoryStore) -> None:
    store.open_session(session("damaged"))
    store.database.connection.execute("UPDATE run_sessions SET started_at = 'nan', ended_at = 'inf'")
    before = time.time()
    store.open_session(session("next"))
    ((begun,),) = query(store, "SELECT started_at FROM run_sessions WHERE run_id = 'next'")
    assert before - 1 < begun < time.time() + 1


def test_ctrl_c_during_a_query_is_ctrl_c(path: Path) -> None:
    store = DuckDBMemoryStore(path)
    store.startup()
    with pytest.raises(KeyboardInterrupt), store.database.transaction("count"):
        raise RuntimeError("Query interrupted")  # what DuckDB makes of it
    with pytest.raises(KeyboardInterrupt), naming(path):
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="of another kind"), naming(path):
        raise RuntimeError("of another kind")
    store.insert_events([event()])
    store.close()


def test_a_transaction_within_another_is_refused_and_the_other_one_goes_on(path: Path) -> None:
    store = DuckDBMemoryStore(path)
    store.startup()
    store.open_session(session())
    with store.database.transaction("mark") as connection:
        connection.execute("UPDATE run_sessions SET detail = 'first'")
        with pytest.raises(MemoryStoreError, match="cannot store an event within another transaction; end that first"):
            store.insert_events([event()])
        connection.execute("UPDATE run_sessions SET agent = 'second'")
    found = store.database.connection.execute("SELECT detail, agent FROM run_sessions").fetchall()
    assert (found, store.events("ctx")) == ([("first", "second")], [])
    store.insert_events([event()])
    store.close()


def test_two_threads_store_all_that_they_were_told_is_stored(path: Path) -> None:
    store = DuckDBMemoryStore(path)
    store.startup()
    told = []

    def store_some(rate: int) -> None:
        for iteration in range(12):
            told.append(store.insert_events([event([("a", rate)], iteration, raw_summary={"n": iteration})]))

    threads = [threading.Thread(target=store_some, args=(rate,)) for rate in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    with reading(path, "peva_faas_mem_v1") as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM execution_events), (SELECT count(*) FROM k6_raw_summaries), "
            "(SELECT count(*) FROM config_catalog)"
        ).fetchone()
    assert (told, counts) == ([1] * 24, (24, 24, 2))


def test_a_store_that_begins_another_memory_describes_its_configurations_there(path: Path) -> None:
    store = DuckDBMemoryStore(path)
    store.startup()
    for _ in range(2):
        store.insert_events([event()])
        rows = store.database.connection.execute("SELECT count(*) FROM config_catalog").fetchall()
        store.close()
        path.unlink()
        store.startup()
        assert rows == [(1,)]
    store.close()


def test_who_ends_without_a_close_takes_nothing_from_the_memory_that_was_begun_since(path: Path) -> None:
    unclosed = subprocess.Popen(
        [sys.executable, "-c", UNCLOSED, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert unclosed.stdout
    unclosed.stdout.readline()
    path.unlink()
    path.with_name(f"{path.name}.wal").unlink()
    running = RunningMemory(path)
    running.tell(0)
    running.answer()
    unclosed.communicate("")
    assert unclosed.returncode == 0
    running.kill()
    with closing(DuckDBMemoryStore(path)) as new:
        new.startup()
        assert len(new.events("ctx")) == 1


def test_what_was_stored_by_who_ended_without_a_close_is_there(path: Path) -> None:
    subprocess.run([sys.executable, "-c", UNCLOSED, path], input="", capture_output=True, text=True, check=True)
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert len(store.events("ctx")) == 1


FORK = """
import os, signal, sys
from peva_env.errors import MemoryStoreError
from peva_env.memory import DuckDBMemoryStore
from tests.support.builders import event
store = DuckDBMemoryStore(sys.argv[1])
store.startup()
store.insert_events([event()])
child = os.fork()
if not child:
    try:
        store.insert_events([event(iteration=2)])
    except MemoryStoreError as error:
        print(error, flush=True)
    if sys.argv[2] == "close":
        store.close()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
store.insert_events([event(iteration=1)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["close", "exit"])
def test_a_fork_takes_nothing_from_the_memory_of_its_parent(path: Path, how: str) -> None:
    parent = subprocess.run([sys.executable, "-c", FORK, path, how], capture_output=True, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    assert "was opened by the process from which this one was forked" in parent.stdout
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert [stored.iteration for stored in store.events("ctx")] == [0, 1]


def vanish(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("moved.duckdb"))


def replace_by_a_copy(path: Path) -> None:
    shutil.copyfile(path, path.with_name("copy.duckdb"))
    path.with_name("copy.duckdb").replace(path)


@pytest.mark.parametrize("meanwhile", [vanish, move_away, replace_by_a_copy])
def test_a_memory_that_is_taken_away_says_so_at_the_next_event(path: Path, meanwhile: Callable[[Path], None]) -> None:
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events([event()])
        meanwhile(path)
        with pytest.raises(MemoryStoreError, match="deleted, moved or replaced while it was in use") as caught:
            store.insert_events([event(iteration=1)])
    assert str(path) in str(caught.value)


def test_a_memory_that_was_taken_away_and_put_back_is_whole(path: Path) -> None:
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events([event()])
        path.rename(path.with_name("moved.duckdb"))
        path.with_name("moved.duckdb").rename(path)
        store.insert_events([event(iteration=1)])
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        assert len(store.events("ctx")) == 2


@pytest.mark.parametrize(
    "change", ["offered = [-1]", "sent = [NULL]", "success_rate = [NULL]", "success_rate = ['nan']"]
)
def test_an_event_that_no_memory_writes_is_refused_by_all_that_read_it(store: DuckDBMemoryStore, change: str) -> None:
    store.insert_events([event()])
    query(store, f"UPDATE execution_events SET {change}")  # noqa: S608
    with pytest.raises(MemoryStoreError, match="cannot be read: it is not what a memory writes"):
        store.events("ctx")
