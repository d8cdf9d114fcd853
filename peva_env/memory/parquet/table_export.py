"""Exporting tables of a memory to Parquet: each file is replaced atomically."""

import glob
import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import psutil

from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.duckdb_errors import duckdb_problem
from peva_env.memory.parquet.checksum import UNSUMMED, store_checksum
from peva_env.memory.schema import CORE_TABLES, TABLES
from peva_env.system import output_file, replacing

_ID_DIGITS = 16
"""Hexadecimal digits of the id of an export."""

_PROCESS_DIGITS = 10
"""No number of a process has as many."""


def export_tables(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[str], folder: Path, *, run_ids: Sequence[str] | None = None
) -> None:
    """Write tables to a folder, one file each; each replaces the older file only when all are complete.

    Each file carries the schema version, the hashes of all contexts, the id of the export and its own checksum in its
    metadata. With ``run_ids`` the rows of other campaigns are left out.

    Raises:
        ConfigError: the folder is a file, or a file with the name of a table is there that was not exported.
        MemoryStoreError: the folder cannot be written, or a table not be read.
    """
    require_export_folder(connection, tables, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(folder, tables)
        metadata = _metadata(connection, run_ids)
        with ExitStack() as renames:
            for table in tables:
                partial = renames.enter_context(replacing(folder / f"{table}.parquet"))
                _copy_out(connection, table, partial, metadata, run_ids)
    except duckdb.Error as error:
        raise MemoryStoreError(f"cannot export to {folder}: {duckdb_problem(error)}") from error
    except OSError as error:
        raise MemoryStoreError(f"cannot export to {folder}: {error.strerror}") from error


def require_export_folder(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], folder: Path) -> None:
    """Check that tables can be exported to a folder without taking the place of anything else.

    Raises:
        ConfigError: it is no folder, or a file in the place of a table was not exported by this package.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigError(f"cannot export to {folder}: is not a folder; give another one")
    for table in tables if folder.is_dir() else ():
        output_file(
            "cannot export to",
            folder / f"{table}.parquet",
            what="a table that was exported",
            is_own=lambda path: _is_exported(connection, path),
        )


def _is_exported(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    try:
        keys = connection.execute(f"SELECT decode(key) FROM parquet_kv_metadata({one_file(path)})").fetchall()  # noqa: S608
    except duckdb.Error:
        return False  # not a Parquet file
    return ("schema_version",) in keys


def _copy_out(
    connection: duckdb.DuckDBPyConnection, table: str, path: Path, metadata: str, run_ids: Sequence[str] | None
) -> None:
    order = ", ".join(TABLES[table].key)
    connection.execute(
        f"COPY ({_rows(table, run_ids)} ORDER BY {order}) TO {quoted(path)} "
        f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {metadata})"
    )
    store_checksum(path)


def _rows(table: str, run_ids: Sequence[str] | None) -> str:
    """Return the query for the rows of campaigns (None: all); of the catalogue, the configurations of their events."""
    rows = f"FROM {table}"
    if run_ids is None:
        return rows
    of_campaigns = f"run_id IN ({', '.join(map(quoted, run_ids))})" if run_ids else "false"
    if "run_id" in TABLES[table].columns:
        return f"{rows} WHERE {of_campaigns}"
    if "config_id" in TABLES[table].columns:
        return f"{rows} WHERE config_id IN (SELECT config_id FROM execution_events WHERE {of_campaigns})"  # noqa: S608
    return rows


def _metadata(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str] | None) -> str:
    label = connection.execute("SELECT schema_version FROM memory_schema_meta").fetchone()
    contexts = connection.execute(
        "SELECT DISTINCT context_hash FROM run_sessions UNION SELECT DISTINCT context_hash FROM execution_events"
    ).fetchall()
    hashes = ",".join(sorted(row[0] for row in contexts if row[0]))
    said = {
        "schema_version": label[0] if label else "",
        "context_hashes": hashes,
        "export_id": _export_id(connection, run_ids),
        "checksum": UNSUMMED,
    }
    return f"{{{', '.join(f'{key}: {quoted(value)}' for key, value in said.items())}}}"


def _export_id(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str] | None) -> str:
    """Return the id of an export, which follows from the rows of the core tables and from which events have summaries.

    So the core and the debug tables of a memory that did not change have one id, though two commands export them. A raw
    summary never changes, but a preload can add it to an event that is there.
    """
    keys = ", ".join(TABLES["k6_raw_summaries"].key)
    rows = [_rows(table, run_ids) for table in CORE_TABLES]
    rows.append(f"SELECT {keys} {_rows('k6_raw_summaries', run_ids)}")
    sums = [
        connection.execute(f"SELECT sum(hash(one_row)) FROM ({some}) one_row").fetchone()  # noqa: S608
        for some in rows
    ]
    return hashlib.sha256(repr(sums).encode()).hexdigest()[:_ID_DIGITS]


def _clear_leftovers(folder: Path, tables: Sequence[str]) -> None:
    """Remove the temporary files that a killed export left of these tables."""
    for table in tables:
        for leftover in folder.glob(f".{table}.parquet.*.partial"):
            process = leftover.name.split(".")[-2]
            if process.isdecimal() and len(process) < _PROCESS_DIGITS and not psutil.pid_exists(int(process)):
                leftover.unlink(missing_ok=True)


def one_file(path: Path) -> str:
    """Return the SQL literal of one path, with DuckDB's wildcards ``*``, ``?`` and ``[`` escaped."""
    return quoted(glob.escape(str(path)))


def quoted(value: str | Path) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"
