"""The memory as Parquet folders: one file a table, core apart from raw debug."""

import glob
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import duckdb

from peva_env.errors import MemoryStoreError, SchemaMismatchError
from peva_env.memory import schema
from peva_env.memory.database import explain, first_difference
from peva_env.memory.merge import merge_tables
from peva_env.memory.store import DuckDBMemoryStore

_ASIDE = ".export-"


class ParquetCheckpoint:
    """Exports the memory's tables to Parquet, and merges such folders into it.

    Args:
        store: a started store.
        core_dir: folder of the core tables, for export and preload; None leaves them out of ``export_all``.
        debug_dir: folder of the raw k6 summaries, likewise.
    """

    CORE_TABLES: ClassVar[tuple[str, ...]] = schema.CORE_TABLES
    DEBUG_TABLES: ClassVar[tuple[str, ...]] = schema.DEBUG_TABLES

    def __init__(
        self, store: DuckDBMemoryStore, *, core_dir: str | Path | None = None, debug_dir: str | Path | None = None
    ) -> None:
        self._database = store.database
        self.core_dir = Path(core_dir) if core_dir else None
        self.debug_dir = Path(debug_dir) if debug_dir else None

    def export_all(self) -> None:
        """Export the core tables, the debug tables, or both: those whose folder was given."""
        if self.core_dir:
            self.export_core()
        if self.debug_dir:
            self.export_debug()

    def export_core(self) -> None:
        """Write the core tables to ``core_dir``; each file replaces the older one only when it is complete."""
        self._export(self.CORE_TABLES, self._required(self.core_dir, "core_dir"))

    def export_debug(self) -> None:
        """Write the raw k6 summaries to ``debug_dir``, likewise."""
        self._export(self.DEBUG_TABLES, self._required(self.debug_dir, "debug_dir"))

    def preload_core(self) -> None:
        """Merge the core tables of ``core_dir`` into the memory: all or nothing, newest wins.

        Raises:
            SchemaMismatchError: the folder is of another schema version, or a table's columns differ.
            MemoryStoreError: a file is missing or cannot be read.
        """
        self._preload(self.CORE_TABLES, self._required(self.core_dir, "core_dir"))

    def preload_debug(self) -> None:
        """Merge the raw k6 summaries of ``debug_dir`` into the memory, likewise."""
        self._preload(self.DEBUG_TABLES, self._required(self.debug_dir, "debug_dir"))

    def _required(self, folder: Path | None, name: str) -> Path:
        if folder is None:
            raise MemoryStoreError(f"no {name} was given to export to or preload from")
        return folder

    def _export(self, tables: Iterable[str], folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(folder)
            aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=folder))
        except OSError as error:
            raise MemoryStoreError(f"cannot export to {folder}: {error.strerror}") from error
        try:
            for table in tables:
                self._copy_out(table, aside / f"{table}.parquet")
            # In this order: an export that is killed here has every session and configuration that its events name.
            for table in tables:
                (aside / f"{table}.parquet").replace(folder / f"{table}.parquet")
            _sync(folder)
        except duckdb.Error as error:
            raise MemoryStoreError(f"cannot export to {folder}: {explain(error)}") from error
        except OSError as error:
            raise MemoryStoreError(f"cannot export to {folder}: {error.strerror}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _copy_out(self, table: str, path: Path) -> None:
        order = ", ".join(schema.TABLES[table].key)
        label, contexts = _quoted(self._database.schema_version), _quoted(self._contexts())
        said = f"{{schema_version: {label}, context_hashes: {contexts}}}"
        self._database.connection.execute(
            f"COPY (SELECT * FROM {table} ORDER BY {order}) TO {_quoted(path)} "  # noqa: S608
            f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {said})"
        )
        _sync(path)

    def _contexts(self) -> str:
        """Return the hashes of all contexts in the memory, with commas between them."""
        query = (
            "SELECT DISTINCT context_hash FROM run_sessions UNION SELECT DISTINCT context_hash FROM execution_events"
        )
        return ",".join(sorted(row[0] for row in self._database.connection.execute(query).fetchall() if row[0]))

    def _preload(self, tables: tuple[str, ...], folder: Path) -> None:
        for table in tables:
            self._check_file(table, folder / f"{table}.parquet")
        sources = {table: f"read_parquet({_one_file(folder / f'{table}.parquet')})" for table in tables}
        merge_tables(self._database, sources, purpose=f"preload {folder}")

    def _check_file(self, table: str, path: Path) -> None:
        connection, source = self._database.connection, _one_file(path)
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({source})").fetchall()  # noqa: S608
            labels = connection.execute(
                f"SELECT decode(value) FROM parquet_kv_metadata({source}) "  # noqa: S608
                "WHERE decode(key) = 'schema_version'"
            ).fetchall()
        except duckdb.Error as error:
            raise MemoryStoreError(f"cannot preload {path}: {explain(error)}") from error
        if labels != [(self._database.schema_version,)]:
            found = labels[0][0] if labels else "missing"
            raise SchemaMismatchError(
                f"cannot preload {path}: schema_version is {found}, {self._database.schema_version!r} is asked for"
            )
        columns = {table: {str(row[0]): str(row[1]) for row in described}}
        difference = first_difference(columns, {table: schema.TABLES[table].columns})
        if difference:
            raise SchemaMismatchError(f"cannot preload {path}: {difference}")


def _clear_leftovers(folder: Path) -> None:
    """Remove what an export left aside that was killed: a memory has one writer, so nobody else is at it."""
    for leftover in folder.glob(f"{_ASIDE}*"):
        shutil.rmtree(leftover)


def _sync(path: Path) -> None:
    """Have a file, or a folder's names, on disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_file(path: Path) -> str:
    """Return the SQL literal that reads this very file: DuckDB takes ``*``, ``?`` and ``[`` for wildcards."""
    return _quoted(glob.escape(str(path)))


def _quoted(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
