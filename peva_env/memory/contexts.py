"""The hash of a context, the name of its node, and a memory's tables as readers see them.

The hash leaves out the overload rules and the grid of a refinement, because a measurement does not depend on them.
Earlier releases hashed the rules as well. Their hashes are still stored in memories that they wrote, and every reader
derives the present hash instead.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import duckdb

from peva_env.memory.suspects import relation_as_read
from peva_env.system import moment_text, one_line

RULES = "overload"
"""The key of a context that holds the overload rules of its campaign."""

REFINED = "refined"
"""The key of a context that holds the grid of a campaign that refined it: the rates of each function."""


def digest(text: str) -> str:
    """Return the first 16 hex digits of the sha256 of a text: it identifies the text without revealing it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def context_hash(context: Mapping[str, Any]) -> str:
    """Return the first 16 hex digits of the sha256 of a context, without its rules and grid, in canonical JSON."""
    return _hash({key: value for key, value in context.items() if key not in (RULES, REFINED)})


def possible_hashes(context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the hash of a context, and the hash that earlier releases stored."""
    return context_hash(context), _hash(context)


def earlier_hashes(connection: duckdb.DuckDBPyConnection, sessions: str = "run_sessions") -> dict[str, str]:
    """Return the present hash of each context that is stored under the hash of an earlier release.

    ``sessions`` is an SQL relation with the columns of ``run_sessions``.
    """
    query = f"SELECT DISTINCT context_hash, context_json FROM {sessions} WHERE context_json LIKE '%\"{RULES}\"%'"  # noqa: S608
    present = {}
    for stored, text in connection.execute(query).fetchall():
        context = parsed_context(text)
        if RULES in context and stored == _hash(context):
            present[stored] = context_hash(context)
    return present


def as_present(present: Mapping[str, str]) -> str:
    """Return the SQL expression of ``context_hash`` with present hashes in place of earlier ones.

    ``present`` is the result of ``earlier_hashes``.
    """
    cases = "".join(f" WHEN '{stored}' THEN '{now}'" for stored, now in present.items())
    return f"CASE context_hash{cases} ELSE context_hash END" if cases else "context_hash"


def hashes_of(connection: duckdb.DuckDBPyConnection, context_hash: str) -> list[str]:
    """Return the hashes under which the events of a context are stored: the present one and earlier ones."""
    earlier = earlier_hashes(connection)
    return [context_hash, *(stored for stored, present in earlier.items() if present == context_hash)]


def stored_hash(connection: duckdb.DuckDBPyConnection, run_id: str, context_hash: str) -> str | None:
    """Return the hash under which the events of a campaign and context are stored; None if there is no such campaign.

    It is that of an earlier release if the campaign is of this context and began with such a release.
    """
    row = connection.execute(
        "SELECT context_hash, context_json FROM run_sessions WHERE run_id = ?", [run_id]
    ).fetchone()
    if row is None:
        return None
    stored, text = row
    return str(stored) if possible_hashes(parsed_context(text)) == (context_hash, stored) else context_hash


def show_as_read(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the queries of a connection find present hashes in place of earlier ones, and suspect runs as INVALID.

    Temporary views hide ``run_sessions`` and ``execution_events``; the stored tables do not change.
    """
    ((catalog,),) = connection.execute("SELECT replace(current_database(), '\"', '\"\"')").fetchall()
    tables = {table: f'"{catalog}".main.{table}' for table in ("run_sessions", "execution_events")}
    present, events = earlier_hashes(connection), relation_as_read(connection, tables["execution_events"])
    if present or events != tables["execution_events"]:
        show_with_present_hashes(connection, {**tables, "execution_events": events}, present)


def show_with_present_hashes(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str], present: Mapping[str, str]
) -> None:
    """Create temporary views of tables that have present hashes in place of earlier ones.

    Args:
        connection: where to create them.
        tables: the name of each view, and the SQL relation behind it.
        present: the present hash of each earlier one, as ``earlier_hashes`` returns it.
    """
    connection.execute("CREATE TEMP TABLE present_hashes (stored VARCHAR, present VARCHAR)")
    if present:
        connection.executemany("INSERT INTO present_hashes VALUES (?, ?)", list(present.items()))
    for name, relation in tables.items():
        connection.execute(
            f"CREATE TEMP VIEW {name} AS SELECT t.* REPLACE (coalesce(present, context_hash) AS context_hash) "  # noqa: S608
            f"FROM {relation} t LEFT JOIN present_hashes ON stored = context_hash"
        )


def parsed_context(context_json: str | None) -> dict[str, Any]:
    """Return a context from its JSON text; empty if the text is no JSON object."""
    try:
        context = json.loads(context_json or "{}")
    except (ValueError, RecursionError):
        return {}
    return context if isinstance(context, dict) else {}


def node_name(context: Mapping[str, Any]) -> str | None:
    """Return the name of a context's node, or None if the context has none."""
    node = context.get("node")
    known = node if isinstance(node, Mapping) else {}
    names = (known.get(key) for key in ("name", "hostname", "gateway"))
    return next((one_line(name) for name in names if isinstance(name, str) and name.strip()), None)


def campaign_text(context_json: str | None, context_hash: str, repetition: int, started_at: float | None = None) -> str:
    """Return what tells a campaign from another one of its name; ``started_at`` is in seconds since the epoch."""
    node = node_name(parsed_context(context_json)) or "unknown"
    begun = f", begun {moment_text(started_at, 'microseconds')}" if started_at else ""  # two may begin in one second
    return f"node {node}, context {context_hash}, repetition {repetition}{begun}"


def _hash(context: Mapping[str, Any]) -> str:
    return digest(json.dumps(context, sort_keys=True, separators=(",", ":")))
