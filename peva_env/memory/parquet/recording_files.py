"""The files of a recording: checked as for a merge, and read as one relation, by DuckDB without a database.

They may be a stranger's: nothing but what is built into DuckDB reads them, and they are looked through for events that
no memory would have written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from peva_env.contracts import EventKind, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.database import NO_DOWNLOADS, duckdb_problem
from peva_env.memory.parquet.file_check import check_file
from peva_env.memory.parquet.table_export import one_file
from peva_env.memory.parquet.table_merge import newness_rank
from peva_env.memory.schema import TABLES

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
    AND config_id IS NOT NULL AND iteration IS NOT NULL AND repetition IS NOT NULL
"""


def check_folders(paths: Sequence[Path], schema_version: str) -> None:
    """Look at the files before anything is taken in.

    Raises:
        ConfigError: a folder or a file is not there.
        SchemaMismatchError: a file is of another schema version, or its columns differ.
        MemoryStoreError: a file cannot be read, would take more memory than is free, or holds what cannot be.
    """
    for path in paths:
        _check_folder(path)
    with _connected(paths) as connection:
        for path in paths:
            for table in _TABLES:
                check_file(connection, table, path / f"{table}.parquet", schema_version)
        events = parquet_source("execution_events", paths)
        query = f"SELECT count(*) FROM {events} WHERE {VALID} AND NOT coalesce({_SOUND}, false)"  # noqa: S608
        ((n_unsound,),) = connection.execute(query).fetchall()
    if n_unsound:
        raise MemoryStoreError(
            f"recording {recording_title(paths)}: {n_unsound:,} events cannot be: a verdict is OK or OVERLOADED, and "
            "functions are sorted, each named once, with a rate of at least 0"
        )


@contextmanager
def open_recording(paths: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Have a connection in which ``execution_events`` are the events of all folders, each key once.

    Two folders may hold an event of the same key: then the newer one is meant, as when memories are merged.

    Raises:
        MemoryStoreError: a file cannot be read.
    """
    with _connected(paths) as connection:
        events = parquet_source("execution_events", paths)
        if len(paths) > 1:
            events = _each_once(connection, events)
        connection.execute(f"CREATE TEMP VIEW execution_events AS FROM {events}")
        yield connection


def parquet_source(table: str, paths: Sequence[Path]) -> str:
    """Return what stands behind FROM for a table of all folders."""
    files = ", ".join(one_file(path / f"{table}.parquet") for path in paths)
    return f"read_parquet([{files}])"


def recording_title(paths: Sequence[Path]) -> str:
    """Return what errors call a recording."""
    return ", ".join(str(path) for path in paths)


def _each_once(connection: duckdb.DuckDBPyConnection, events: str) -> str:
    """Compare in full only the events whose key comes more than once: few, and comparing is slow."""
    connection.execute(
        f"CREATE TEMP TABLE repeated AS SELECT {_KEY} FROM {events} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608
    )
    newest = f"row_number() OVER (PARTITION BY {_KEY} ORDER BY {newness_rank('execution_events', 'one')} DESC) = 1"
    return (
        f"(FROM {events} ANTI JOIN repeated USING ({_KEY}) UNION ALL "
        f"FROM (FROM {events} SEMI JOIN repeated USING ({_KEY})) one QUALIFY {newest})"
    )


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
    """Have a connection without a database, and DuckDB's complaints as ours."""
    with duckdb.connect(":memory:", config=NO_DOWNLOADS) as connection:
        try:
            yield connection
        except (duckdb.Error, OSError) as error:  # what goes wrong while Arrow reads arrives as an OSError
            text = duckdb_problem(error) if isinstance(error, duckdb.Error) else str(error).splitlines()[0]
            raise MemoryStoreError(f"recording {recording_title(paths)}: cannot be read: {text}") from error
