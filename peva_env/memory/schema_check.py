"""Whether a database is a memory: exactly its tables and columns, and nothing that could act in their stead.

A database file can bring views and macros of its own, and in it they come before DuckDB's: a macro ``count`` would
answer in the place of ``count``, and a view in the place of a table reads whatever file it names. So everything is
looked up under ``system.main``, which a file cannot change.
"""

from collections.abc import Mapping

import duckdb

type Columns = Mapping[str, Mapping[str, str]]
"""Types by column, by table."""

_COLUMNS = """
    SELECT if(schema_name = 'main', table_name, schema_name || '.' || table_name), column_name, data_type
    FROM system.main.duckdb_columns()
    WHERE database_name = ? AND NOT internal ORDER BY 1, column_index
"""
_FOREIGN = """
    SELECT 'view ' || view_name FROM system.main.duckdb_views() WHERE database_name = ? AND NOT internal
    UNION ALL
    SELECT 'macro ' || function_name FROM system.main.duckdb_functions() WHERE database_name = ? AND NOT internal
    UNION ALL
    SELECT 'type ' || type_name FROM system.main.duckdb_types() WHERE database_name = ? AND NOT internal
    ORDER BY 1
"""


def columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Return the columns of every table and view."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(_COLUMNS, [_name(connection)]).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def foreign_object(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return in words the first thing in a database that is no table, or None."""
    row = connection.execute(_FOREIGN, [_name(connection)] * 3).fetchone()
    return f"{row[0]} does not belong" if row else None


def first_difference(found: Columns, wanted: Columns) -> str | None:
    """Return in words the first difference between tables as found and as wanted, or None."""
    for table in sorted(wanted.keys() - found.keys()):
        return f"table {table} is missing"
    for table in sorted(found.keys() - wanted.keys()):
        return f"table {table} does not belong"
    for table, kinds in wanted.items():
        for position, (column, kind) in enumerate(kinds.items()):
            actual = list(found[table].items())[position : position + 1]
            if actual != [(column, kind)]:
                got = " ".join(actual[0]) if actual else "nothing"
                return f"table {table} has {got} where {column} {kind} should be"
        if len(found[table]) > len(kinds):
            return f"table {table} has a column {list(found[table])[len(kinds)]} too many"
    return None


def _name(connection: duckdb.DuckDBPyConnection) -> str:
    row = connection.execute("SELECT system.main.current_database()").fetchone()
    return str(row[0]) if row else ""
