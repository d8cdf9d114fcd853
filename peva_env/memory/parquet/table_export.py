"""Exporting tables of a memory to Parquet: each file is replaced atomically."""

import glob
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from peva_env.errors import MemoryStoreError
from peva_env.memory.database import duckdb_problem
from peva_env.memory.schema import TABLES

_TEMPORARY_PREFIX = ".export-"


def export_tables(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], folder: Path) -> None:
    """Write tables to a folder, one file each; each replaces the older file only when all are complete.

    Each file carries the schema version and the hashes of all contexts in its metadata.

    Raises:
        MemoryStoreError: the folder cannot be written, or a table not be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(folder)
        aside = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=folder))
    except OSError as error:
        raise MemoryStoreError(f"cannot export to {folder}: {error.strerror}") from error
    try:
        metadata = _metadata(connection)
        for table in tables:
            _copy_out(connection, table, aside / f"{table}.parquet", metadata)
        # In this order: after a kill here, the folder has every session and configuration that its events refer to.
        for table in tables:
            (aside / f"{table}.parquet").replace(folder / f"{table}.parquet")
        _sync(folder)
    except duckdb.Error as error:
        raise MemoryStoreError(f"cannot export to {folder}: {duckdb_problem(error)}") from error
    except OSError as error:
        raise MemoryStoreError(f"cannot export to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy_out(connection: duckdb.DuckDBPyConnection, table: str, path: Path, metadata: str) -> None:
    order = ", ".join(TABLES[table].key)
    connection.execute(
        f"COPY (SELECT * FROM {table} ORDER BY {order}) TO {quoted(path)} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {metadata})"
    )
    _sync(path)


def _metadata(connection: duckdb.DuckDBPyConnection) -> str:
    label = connection.execute("SELECT schema_version FROM memory_schema_meta").fetchone()
    contexts = connection.execute(
        "SELECT DISTINCT context_hash FROM run_sessions UNION SELECT DISTINCT context_hash FROM execution_events"
    ).fetchall()
    hashes = ",".join(sorted(row[0] for row in contexts if row[0]))
    return f"{{schema_version: {quoted(label[0] if label else '')}, context_hashes: {quoted(hashes)}}}"


def _clear_leftovers(folder: Path) -> None:
    """Remove the temporary folders of killed exports: a memory has one writer, so no other export is running."""
    for leftover in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        shutil.rmtree(leftover)


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def one_file(path: Path) -> str:
    """Return the SQL literal of one path, with DuckDB's wildcards ``*``, ``?`` and ``[`` escaped."""
    return quoted(glob.escape(str(path)))


def quoted(value: str | Path) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"
