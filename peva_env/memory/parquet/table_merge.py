"""Merging rows into a memory's tables: all or nothing, the newest row wins, and the order of merges does not matter."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from peva_env.memory.database import Database
from peva_env.memory.schema import TABLES

_NEWNESS = {
    "memory_schema_meta": "-{row}.created_at",  # the first one made the memory
    "run_sessions": "coalesce({row}.ended_at, 0)",  # an end outranks a start
    "execution_events": "{row}.ended_at",
    "policy_updates": "{row}.updated_at",
}
"""The age of a row by table, which decides between two rows of one key; if equal, the other columns decide."""


@dataclass(frozen=True, slots=True)
class MergeCount:
    """The rows of a merge: inserted, updated (an older row was replaced), kept (the memory had it or a newer one)."""

    inserted: int
    updated: int
    kept: int


def merge_tables(database: Database, sources: Mapping[str, str], *, purpose: str) -> dict[str, MergeCount]:
    """Merge rows into tables in one transaction; repeating a merge changes nothing.

    Args:
        database: an open database.
        sources: for each table an SQL relation (the text after FROM) with the table's columns.
        purpose: the verb of the error message ``cannot <purpose>``.

    Raises:
        MemoryStoreError: a source cannot be read, or holds a key twice; nothing is changed.
    """
    with database.transaction(purpose) as connection:
        return {table: _merge_rows(connection, table, source) for table, source in sources.items()}


def _merge_rows(connection: duckdb.DuckDBPyConnection, table: str, source: str) -> MergeCount:
    before, offered = _count(connection, table), _count(connection, source)
    columns = ", ".join(TABLES[table].columns)
    # Nothing conflicts in an empty table, and a plain insert is several times faster.
    conflict = _newest_wins(table) if before else ""
    row = connection.execute(f"INSERT INTO {table} SELECT {columns} FROM {source} {conflict}").fetchone()  # noqa: S608
    written = int(row[0]) if row else 0
    inserted = _count(connection, table) - before
    return MergeCount(inserted, written - inserted, offered - written)


def _newest_wins(table: str) -> str:
    key, columns = TABLES[table].key, TABLES[table].columns
    values = [column for column in columns if column not in key]
    if not values:
        return "ON CONFLICT DO NOTHING"
    changes = ", ".join(f"{column} = excluded.{column}" for column in values)
    newer = f"{newness_rank(table, 'excluded')} > {newness_rank(table, table)}"
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} WHERE {newer}"


def newness_rank(table: str, row: str) -> str:
    """Return the SQL expression that orders rows of one key; the greatest wins."""
    newness = _NEWNESS.get(table, "0").format(row=row)
    values = (f"{row}.{column}" for column in TABLES[table].columns if column not in TABLES[table].key)
    return f"row({', '.join([newness, *values])})"


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {source}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0
