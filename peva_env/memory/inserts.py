"""The statements that insert rows into tables of a memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb


def insert(connection: duckdb.DuckDBPyConnection, table: str, record: Mapping[str, Any]) -> None:
    """Insert one row given as a mapping from column to value."""
    marks = ", ".join("?" * len(record))
    connection.execute(f"INSERT INTO {table} ({', '.join(record)}) VALUES ({marks})", list(record.values()))  # noqa: S608


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, each with a value for every column, by one statement.

    Several rows are a list for each column: DuckDB takes longer to plan a row of values than to insert it.
    """
    if len(rows) == 1:  # for which lists take longer
        marks = ", ".join("?" * len(rows[0]))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", list(rows[0]))  # noqa: S608
    elif rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        each = ", ".join(["unnest(?)"] * len(columns))
        connection.execute(f"INSERT INTO {table} SELECT {each}", columns)
