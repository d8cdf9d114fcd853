"""Recordings: core Parquet folders of memories as arrays, without a database in between.

The files may be a stranger's: they are checked as for a merge, read by DuckDB with nothing but what is built into it,
and looked through for rows that no memory would have written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.database import NO_DOWNLOADS, explain
from peva_env.memory.export import one_file
from peva_env.memory.merge import rank
from peva_env.memory.parquet_check import check_file
from peva_env.memory.rows import EVENT_COLUMNS, event_from_record
from peva_env.memory.schema import TABLES
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION
from peva_env.memory.tensor_index import Codebook
from peva_env.memory.tensor_rows import EVENT_QUERY, Coded, Rows, rows_of_batch

type ArrowTable = Any  # pyarrow has no type hints

_BATCH_ROWS = 1 << 16
_KEY = ", ".join(TABLES["execution_events"].key)
_BY_KEY = f"ORDER BY {_KEY}"
_IS_LABEL = f"kind = '{EventKind.MEASURED}' AND verdict <> '{Verdict.INVALID}'"
_SOUND = f"""
    verdict IN ('{Verdict.OK}', '{Verdict.OVERLOADED}') AND context_hash IS NOT NULL AND len(function_names) > 0
    AND function_names = list_sort(list_distinct(function_names)) AND len(rates_rps) = len(function_names)
    AND list_min(rates_rps) >= 0 AND NOT list_contains(list_transform(rates_rps, lambda rate: rate IS NULL), true)
"""


@dataclass(frozen=True, slots=True)
class Recording:
    """The valid measured events of one or more folders, in the order of their keys, and the contexts they are of.

    Two folders may hold an event of the same key: then the newer one is meant, as when memories are merged.
    """

    folders: tuple[Path, ...]
    rows: Rows
    contexts: Mapping[str, Mapping[str, Any]]  # by context hash; empty where no session tells

    @property
    def title(self) -> str:
        """What errors call it."""
        return _title(self.folders)

    def stored(self, context_hash: str) -> ArrowTable:
        """Read the events of a context in full, in the order of ``rows``.

        Raises:
            MemoryStoreError: the folders are not what they were when they were loaded.
        """
        columns = ", ".join(EVENT_COLUMNS)
        query = f"SELECT {columns} FROM execution_events WHERE {_IS_LABEL} AND context_hash = $1 {_BY_KEY}"  # noqa: S608
        with _reading(self.folders) as connection:
            table = connection.sql(query, params=[context_hash]).to_arrow_table().combine_chunks()
        codes = self.rows.context_hash
        expected = int(np.count_nonzero(codes.codes == codes.values.index(context_hash)))
        if table.num_rows != expected:
            raise MemoryStoreError(f"recording {self.title}: it was changed since it was loaded; load it again")
        return table


def load_recording(
    folders: str | Path | Sequence[str | Path], *, schema_version: str = DEFAULT_SCHEMA_VERSION
) -> Recording:
    """Read core Parquet folders, as ``peva-env memory export`` writes them; the order of folders does not matter.

    Raises:
        ConfigError: there is no such folder, it holds no recording, or no valid measured event is in it.
        SchemaMismatchError: a file is of another schema version, or its columns differ.
        MemoryStoreError: a file cannot be read, is larger than the memory that is free, or holds what cannot be.
    """
    given = [folders] if isinstance(folders, str | Path) else folders
    paths = tuple(sorted({Path(folder).resolve(): Path(folder) for folder in given}.values()))
    if not paths:
        raise ConfigError(
            "a recording needs at least one folder, as `peva-env memory export MEMORY --core FOLDER` writes"
        )
    for path in paths:
        _check_folder(path)
    with _connected(paths) as connection:
        for path in paths:
            for table in ("run_sessions", "execution_events"):
                check_file(connection, table, path / f"{table}.parquet", schema_version)
    with _reading(paths) as connection:
        _check_rows(connection, paths)
        batches = connection.sql(f"{EVENT_QUERY} {_BY_KEY}").to_arrow_reader(_BATCH_ROWS)
        parts = [rows_of_batch(batch) for batch in batches]
        contexts = _contexts(connection, paths)
    if not any(len(part.of_run) for part in parts):
        raise ConfigError(f"recording {_title(paths)}: no valid measured event is in it; measure first: `peva-env run`")
    return Recording(paths, _joined(parts), contexts)


def event_of(stored: ArrowTable, position: int) -> ExecutionEvent:
    """Return one of the events that ``Recording.stored`` gave.

    Raises:
        MemoryStoreError: it is not what a memory would have written.
    """
    (record,) = stored.slice(position, 1).to_pylist(maps_as_pydicts="lossy")
    try:
        return event_from_record(record)
    except (IndexError, TypeError, ValueError) as error:
        key = tuple(record[column] for column in TABLES["execution_events"].key)
        raise MemoryStoreError(f"event {key} cannot be read: its lists are not one value a function") from error


def _title(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def _check_folder(path: Path) -> None:
    export = f"`peva-env memory export MEMORY --core {path}`"
    if path.is_file():
        raise ConfigError(
            f"recording {path}: a file, not a folder; write its tables to one by {export[: -len(str(path)) - 1]}FOLDER`"
        )
    if not path.is_dir():
        raise ConfigError(f"recording {path}: there is no such folder; {export} writes one")
    for table in ("run_sessions", "execution_events"):
        if not (path / f"{table}.parquet").is_file():
            raise ConfigError(f"recording {path}: {table}.parquet is not in it; {export} writes it")


@contextmanager
def _connected(paths: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Have a connection without a database, and DuckDB's complaints as ours."""
    with duckdb.connect(":memory:", config=NO_DOWNLOADS) as connection:
        try:
            yield connection
        except (duckdb.Error, OSError) as error:  # what goes wrong while Arrow reads arrives as an OSError
            text = explain(error) if isinstance(error, duckdb.Error) else str(error).splitlines()[0]
            raise MemoryStoreError(f"recording {_title(paths)}: cannot be read: {text}") from error


@contextmanager
def _reading(paths: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Have a connection in which ``execution_events`` are the events of all folders, each key once."""
    with _connected(paths) as connection:
        source = _source("execution_events", paths)
        if len(paths) > 1:
            connection.execute(
                f"CREATE TEMP TABLE repeated AS SELECT {_KEY} FROM {source} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608
            )
            newest = f"row_number() OVER (PARTITION BY {_KEY} ORDER BY {rank('execution_events', 'one')} DESC) = 1"
            source = (
                f"(FROM {source} ANTI JOIN repeated USING ({_KEY}) "
                f"UNION ALL FROM {source} one SEMI JOIN repeated USING ({_KEY}) QUALIFY {newest})"
            )
        connection.execute(f"CREATE TEMP VIEW execution_events AS FROM {source}")
        yield connection


def _source(table: str, paths: Sequence[Path]) -> str:
    files = ", ".join(one_file(path / f"{table}.parquet") for path in paths)
    return f"read_parquet([{files}])"


def _check_rows(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    query = f"SELECT count(*) FROM execution_events WHERE {_IS_LABEL} AND NOT coalesce({_SOUND}, false)"  # noqa: S608
    ((n_unsound,),) = connection.execute(query).fetchall()
    if n_unsound:
        raise MemoryStoreError(
            f"recording {_title(paths)}: {n_unsound:,} events cannot be: a verdict is OK or OVERLOADED, functions are "
            "sorted and each is named once with a rate of at least 0"
        )


def _contexts(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> dict[str, Mapping[str, Any]]:
    query = f"SELECT context_hash, min(context_json) FROM {_source('run_sessions', paths)} GROUP BY ALL"  # noqa: S608
    contexts: dict[str, Mapping[str, Any]] = {}
    for name, text in connection.execute(query).fetchall():
        try:
            context = json.loads(text or "{}")
        except ValueError as error:
            raise MemoryStoreError(f"recording {_title(paths)}: context {name} is no JSON") from error
        contexts[name] = context if isinstance(context, dict) else {}
    return contexts


def _joined(parts: Sequence[Rows]) -> Rows:
    n_before = np.cumsum([0, *(len(part.of_run) for part in parts)])
    return Rows(
        keys={name: np.concatenate([part.keys[name] for part in parts]) for name in parts[0].keys},
        run_id=_coded([part.run_id for part in parts]),
        context_hash=_coded([part.context_hash for part in parts]),
        owner=np.concatenate([part.owner + before for part, before in zip(parts, n_before, strict=False)]),
        function=_coded([part.function for part in parts]),
        of_function=np.concatenate([part.of_function for part in parts]),
        of_run=np.concatenate([part.of_run for part in parts]),
    )


def _coded(parts: Sequence[Coded]) -> Coded:
    book = Codebook()
    codes = np.concatenate([book.encode(part) for part in parts])
    return Coded(codes, tuple(book))
