"""Checking Parquet files before they are merged or replayed: schema label, checksum, columns, size, and export.

A few kilobytes of Parquet can unpack to billions of rows, or to a long text in each of them. So the memory that a file
needs is estimated before it is loaded; the estimate itself unpacks nothing.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil

from peva_env.errors import MemoryStoreError, PevaError, SchemaMismatchError
from peva_env.memory.duckdb_errors import duckdb_problem
from peva_env.memory.parquet.checksum import is_as_written
from peva_env.memory.parquet.table_export import one_file
from peva_env.memory.schema import TABLES
from peva_env.memory.schema_check import first_difference

_ROW_BYTES = 1000
"""Memory of a row without its texts, rounded up: a million events were loaded in 840 MB."""

_TEXT_BYTES = {
    "VARCHAR": "sum(strlen({column}))",
    "VARCHAR[]": "sum(list_sum(list_transform({column}, lambda text: strlen(text))))",
}


@contextmanager
def unchanged(files: Iterable[Path]) -> Iterator[Callable[[], None]]:
    """Yield a check that files are still those of the beginning of the block.

    A file is opened for each query of it, and another process may export to its folder in between: what is read then is
    of two exports, or looks damaged. An error of the block is told as that of a file that has changed, if one has.

    Raises:
        MemoryStoreError: a file has changed.
    """
    before = {path: _state(path) for path in files}

    def require() -> None:
        for path, state in before.items():
            if _state(path) != state:
                raise MemoryStoreError(f"{path}: was written while it was read; load it again when that has ended")

    try:
        yield require
    except (PevaError, duckdb.Error, OSError):
        require()
        raise


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_files(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path], schema_version: str) -> None:
    """Check the files of tables that are loaded together.

    Raises:
        SchemaMismatchError: the schema version or the columns of a file differ.
        MemoryStoreError: a file is missing, damaged, cannot be read, or needs more memory than is free; or the files
            are not of one export.
    """
    _check_exports({path: _check_file(connection, table, path, schema_version) for table, path in files.items()})


def _check_exports(ids: Mapping[Path, Sequence[str]]) -> None:
    """Raise ``MemoryStoreError`` if files are of different exports. The files of earlier releases have no id."""
    first = next(iter(ids))
    for path, found in ids.items():
        if found != ids[first]:
            raise MemoryStoreError(
                f"cannot preload {path}: is not of the export that wrote {first}, or that export did not end; export "
                "the memory again"
            )


def _check_file(connection: duckdb.DuckDBPyConnection, table: str, path: Path, schema_version: str) -> Sequence[str]:
    """Check the file of a table for itself, and return the id of its export.

    Raises:
        SchemaMismatchError: its schema version or its columns differ.
        MemoryStoreError: it is missing, damaged, cannot be read, or needs more memory than is free.
    """
    if not path.is_file():  # a pipe would be waited for
        found = "is not a file" if os.path.lexists(path) else "there is no such file"
        raise MemoryStoreError(f"cannot preload {path}: {found}; `peva-env memory export` writes it")
    try:
        metadata = _metadata(connection, path)
        _check_label(path, metadata["schema_version"], schema_version)
        if not is_as_written(path):
            raise MemoryStoreError(
                f"cannot preload {path}: it is damaged or was edited: its checksum is another; export it again"
            )
        _check_columns(connection, table, path)
        if table == "memory_schema_meta":
            _check_rows(connection, path, schema_version)
        _check_size(connection, table, path)
        return metadata["export_id"]
    except duckdb.Error as error:
        raise MemoryStoreError(f"cannot preload {path}: {duckdb_problem(error)}") from error
    except OSError as error:
        raise MemoryStoreError(f"cannot preload {path}: {error.strerror}") from error


def _check_label(path: Path, labels: Sequence[str], schema_version: str) -> None:
    if labels != [schema_version]:
        found = labels[0] if labels else "missing"
        raise SchemaMismatchError(f"cannot preload {path}: schema_version is {found}, {schema_version!r} is asked for")


def _metadata(connection: duckdb.DuckDBPyConnection, path: Path) -> Mapping[str, Sequence[str]]:
    """Return the values of the two keys in a file's metadata that are checked, by key."""
    found: dict[str, list[str]] = {"schema_version": [], "export_id": []}
    pairs = f"SELECT decode(key) AS name, decode(value) FROM parquet_kv_metadata({one_file(path)})"  # noqa: S608
    rows = connection.execute(f"{pairs} WHERE list_contains(?, name)", [list(found)])
    for key, value in rows.fetchall():
        found[key].append(value)
    return found


def _check_rows(connection: duckdb.DuckDBPyConnection, path: Path, schema_version: str) -> None:
    """Raise ``SchemaMismatchError`` if a row is of another schema: a memory with two labels could not be opened."""
    other = connection.execute(
        f"SELECT schema_version FROM read_parquet({one_file(path)}) WHERE schema_version IS DISTINCT FROM ? LIMIT 1",  # noqa: S608
        [schema_version],
    ).fetchone()
    if other:
        raise SchemaMismatchError(
            f"cannot preload {path}: it has a row of schema_version {other[0]!r}, {schema_version!r} is asked for"
        )


def _check_columns(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({one_file(path)})").fetchall()  # noqa: S608
    columns = {table: {str(row[0]): str(row[1]) for row in described}}
    difference = first_difference(columns, {table: TABLES[table].columns})
    if difference:
        raise SchemaMismatchError(f"cannot preload {path}: {difference}")


def _check_size(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    texts = [
        f"coalesce({_TEXT_BYTES[kind].format(column=column)}, 0)"
        for column, kind in TABLES[table].columns.items()
        if kind in _TEXT_BYTES
    ]
    (counts,) = connection.execute(
        f"SELECT count(*), {' + '.join(texts)} FROM read_parquet({one_file(path)})"  # noqa: S608
    ).fetchall()
    n_rows, text_bytes = (int(count) for count in counts)
    needed, free = n_rows * _ROW_BYTES + text_bytes, psutil.virtual_memory().available
    if needed > free:
        raise MemoryStoreError(
            f"cannot preload {path}: its {n_rows:,} rows need about {needed / 2**30:.0f} GiB of memory, "
            f"{free / 2**30:.0f} GiB are free"
        )
