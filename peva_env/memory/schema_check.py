"""Checking whether a database is a memory: its tables, columns and primary keys, and nothing else.

A database file can define views and macros, which take precedence over DuckDB's: a macro ``count`` would replace
``count``, and a view in place of a table can read any file. So a file is checked with DuckDB's own names only. A
trigger can delete what is stored, and where another column is unique, too, a new row is taken for one that is there.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb

from peva_env.memory.schema import TableSchema

type Columns = Mapping[str, Mapping[str, str]]
"""Types by column, by table."""

_OWN_NAMES_ALONE = "SET search_path = 'system.main'"
_TABLES = """
    SELECT if(schema_name = 'main', table_name, schema_name || '.' || table_name)
    FROM duckdb_tables() WHERE NOT internal
"""
_FOREIGN = """
    SELECT 'view ' || view_name FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT 'macro ' || function_name FROM duckdb_functions() WHERE NOT internal
    UNION ALL SELECT 'type ' || type_name FROM duckdb_types() WHERE NOT internal
    UNION ALL SELECT 'unique index ' || index_name FROM duckdb_indexes() WHERE is_unique
    UNION ALL SELECT constraint_text || ' of ' || table_name FROM duckdb_constraints() WHERE constraint_type = 'UNIQUE'
    ORDER BY 1
"""
_TRIGGERS = "SELECT 'trigger ' || trigger_name FROM duckdb_triggers() ORDER BY 1"


@dataclass(frozen=True, slots=True)
class Inspection:
    """The contents of a database: its schema label ('' if it has none), and the first difference from a memory's."""

    is_empty: bool
    difference: str | None = None
    label: str = ""


def inspect_database(connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, TableSchema]) -> Inspection:
    """Check the database file that a connection has open; do not use the connection for anything else afterwards."""
    connection.execute(_OWN_NAMES_ALONE)
    (name,) = connection.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall()
    tables = {table for (table,) in connection.execute(_TABLES).fetchall()}
    foreign = connection.execute(_FOREIGN).fetchone() or _trigger(connection)
    if not tables and not foreign:
        return Inspection(is_empty=True)
    if foreign:
        return Inspection(is_empty=False, difference=f"{foreign[0]} does not belong")
    main = '"{}".main'.format(name[0].replace('"', '""'))
    # Not duckdb_columns(), which in a new connection plans each of DuckDB's own views, only to leave them out.
    found = {table: _columns(connection, f"{main}.{table}") if table in wanted else [] for table in tables}
    types = {table: {name: kind for name, kind, _ in columns} for table, columns in found.items()}
    keys = {table: [name for name, _, is_of_key in columns if is_of_key] for table, columns in found.items()}
    difference = first_difference(types, {name: table.columns for name, table in wanted.items()})
    difference = difference or _difference_of_keys(keys, {name: table.key for name, table in wanted.items()})
    if difference:
        return Inspection(is_empty=False, difference=difference)
    rows = connection.execute(f"SELECT schema_version FROM {main}.memory_schema_meta ORDER BY 1").fetchall()  # noqa: S608
    labels = [str(label) for (label,) in rows]
    if len(labels) > 1:
        several = ", ".join(map(repr, labels))
        difference = f"table memory_schema_meta has the labels {several} where one should be"
    return Inspection(is_empty=False, difference=difference, label=labels[0] if labels else "")


def _trigger(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...] | None:
    try:
        return connection.execute(_TRIGGERS).fetchone()
    except duckdb.CatalogException:  # DuckDB has them since 2.0
        return None


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str, bool]]:
    """Return the name and type of each column of a table, in their order, and whether the primary key has it."""
    return connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", [table]).fetchall()


def _difference_of_keys(found: Mapping[str, Collection[str]], wanted: Mapping[str, Collection[str]]) -> str | None:
    """Return in words the first table with another primary key, in whatever order of columns, or None."""
    for table, key in wanted.items():
        if set(found[table]) != set(key):
            got = f"the primary key {', '.join(found[table])}" if found[table] else "no primary key"
            return f"table {table} has {got} where {', '.join(key)} should be"
    return None


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
