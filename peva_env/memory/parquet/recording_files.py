"""The files of a recording: checked as for a merge, and read as one relation, by DuckDB without a database.

They are untrusted: DuckDB loads no extensions for them, and they are searched for events that no memory writes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from peva_env.contracts import EventKind, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.connecting import connect_duckdb
from peva_env.memory.contexts import earlier_hashes, show_with_present_hashes
from peva_env.memory.duckdb_errors import duckdb_problem
from peva_env.memory.parquet.file_check import check_files, unchanged
from peva_env.memory.parquet.table_export import one_file
from peva_env.memory.schema import TABLES
from peva_env.memory.suspects import relation_as_read
from peva_env.memory.verify_queries import UNREADABLE

_TABLES = ("run_sessions", "execution_events")
_KEY = ", ".join(TABLES["execution_events"].key)

BY_KEY = f"ORDER BY {_KEY}"
"""The order in which events are read, whatever folders they come from."""

VALID = f"kind = '{EventKind.MEASURED}' AND verdict <> '{Verdict.INVALID}'"
"""Which events can be replayed."""

_SOUND = f"""
    verdict IN ('{Verdict.OK}', '{Verdict.OVERLOADED}') AND len(function_names) > 0
    AND function_names = list_sort(list_distinct(function_names)) AND len(rates_rps) = len(function_names)
    AND list_min(rates_rps) >= 0 AND NOT list_contains(list_transform(rates_rps, lambda rate: rate IS NULL), true)
    AND success_rate IS NOT NULL AND p95_ms IS NOT NULL AND context_hash IS NOT NULL AND run_id IS NOT NULL
    AND config_id IS NOT NULL AND iteration IS NOT NULL AND repetition IS NOT NULL AND NOT ({UNREADABLE})
"""


@contextmanager
def open_checked(paths: Sequence[Path], schema_version: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Check the files of folders that are loaded for the first time, then yield a connection as ``open_recording``.

    Raises:
        ConfigError: a folder or a file is missing.
        SchemaMismatchError: a file is of another schema version, or its columns differ.
        MemoryStoreError: a file cannot be read, is written meanwhile, needs more memory than is free, or holds
            impossible events; or the files of a folder are not of one export.
    """
    for path in paths:
        _check_folder(path)
    files = [path / f"{table}.parquet" for path in paths for table in _TABLES]
    with unchanged(files) as require_unchanged, _connected(paths) as connection:
        _check_files(connection, paths, schema_version)
        _show_recording(connection, paths)
        yield connection
        require_unchanged()


@contextmanager
def open_recording(paths: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection in which ``execution_events`` has the events of all folders, each key once.

    If two folders hold an event of one key, the newer event is used, as when memories are merged. ``run_sessions`` has
    the sessions of all folders. A context has its present hash, also where the folder has that of an earlier release,
    and a suspect run is INVALID.

    Raises:
        MemoryStoreError: a file cannot be read.
    """
    with _connected(paths) as connection:
        _show_recording(connection, paths)
        yield connection


def _check_files(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], schema_version: str) -> None:
    for path in paths:
        check_files(connection, {table: path / f"{table}.parquet" for table in _TABLES}, schema_version)
    events = parquet_source("execution_events", paths)
    query = f"SELECT count(*) FROM {events} WHERE {VALID} AND NOT coalesce({_SOUND}, false)"  # noqa: S608
    ((n_unsound,),) = connection.execute(query).fetchall()
    if n_unsound:
        raise MemoryStoreError(
            f"recording {recording_title(paths)}: {n_unsound:,} events are impossible: a verdict is OK or OVERLOADED, "
            "functions are sorted, each named once, with a rate of at least 0 and a value in each list, and numbers "
            "are finite"
        )
    for path in paths:
        _require_keys_once(connection, path)


def _require_keys_once(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    events = parquet_source("execution_events", [path])
    query = f"SELECT count(*) - count(DISTINCT ({_KEY})) FROM {events}"  # noqa: S608
    ((n_repeated,),) = connection.execute(query).fetchall()
    if n_repeated:
        raise MemoryStoreError(
            f"recording {path}: {n_repeated:,} events are there twice; it is damaged, or not written by peva-env: "
            "export its memory again"
        )


def _show_recording(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    events = parquet_source("execution_events", paths)
    if len(paths) > 1:
        events = _each_once(connection, events)
    events = relation_as_read(connection, events)
    sessions = parquet_source("run_sessions", paths)
    tables = {"run_sessions": sessions, "execution_events": events}
    show_with_present_hashes(connection, tables, earlier_hashes(connection, sessions))


def parquet_source(table: str, paths: Sequence[Path]) -> str:
    """Return the SQL relation (the text after FROM) of a table in all folders."""
    files = ", ".join(one_file(path / f"{table}.parquet") for path in paths)
    return f"read_parquet([{files}])"


def recording_title(paths: Sequence[Path]) -> str:
    """Return the folders as error messages name them."""
    return ", ".join(str(path) for path in paths)


def _each_once(connection: duckdb.DuckDBPyConnection, events: str) -> str:
    """Return the events with each key once; only repeated keys are compared, because comparing is slow.

    Raises:
        MemoryStoreError: two different events have one key.
    """
    repeated = f"(FROM {events} SEMI JOIN repeated USING ({_KEY}))"
    connection.execute(
        f"CREATE TEMP TABLE repeated AS SELECT {_KEY} FROM {events} GROUP BY ALL HAVING count(*) > 1;"  # noqa: S608
        f"CREATE TEMP TABLE once AS SELECT DISTINCT * FROM {repeated}"
    )
    differing = connection.execute(
        f"SELECT run_id, string_agg(DISTINCT context_hash, ' and ' ORDER BY context_hash) FROM once "  # noqa: S608
        f"SEMI JOIN (SELECT {_KEY} FROM once GROUP BY ALL HAVING count(*) > 1) USING ({_KEY}) GROUP BY 1 ORDER BY 1"
    ).fetchone()
    if differing:
        run_id, contexts = differing
        raise MemoryStoreError(
            f"two campaigns have the run_id {run_id!r} (context {contexts}); merge their memories with "
            "`peva-env memory merge --rename`, and export the result"
        )
    return f"(FROM {events} ANTI JOIN repeated USING ({_KEY}) UNION ALL FROM once)"


def _check_folder(path: Path) -> None:
    if path.is_file():
        raise ConfigError(
            f"recording {path}: a file, not a folder; `peva-env memory export MEMORY --core FOLDER` writes one"
        )
    export = f"`peva-env memory export MEMORY --core {path}`"
    if not path.is_dir():
        raise ConfigError(f"recording {path}: there is no such folder; {export} writes one")
    for table in _TABLES:
        if not (path / f"{table}.parquet").is_file():
            raise ConfigError(f"recording {path}: {table}.parquet is not in it; {export} writes it")


@contextmanager
def _connected(paths: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection without a database; DuckDB's errors become ``MemoryStoreError``."""
    with connect_duckdb(":memory:") as connection:
        try:
            yield connection
        except (duckdb.Error, OSError) as error:  # Arrow reports a failed read as an OSError
            text = duckdb_problem(error) if isinstance(error, duckdb.Error) else str(error).splitlines()[0]
            raise MemoryStoreError(f"recording {recording_title(paths)}: cannot be read: {text}") from error
