"""Scoutings: campaigns of steps of the kind ``scouted``, which belong to no repetition."""

import duckdb

from peva_env.contracts import EndStatus, EventKind, ExecutionEvent
from peva_env.memory.contexts import hashes_of
from peva_env.memory.event_rows import read_events

NO_REPETITION = 0
"""The repetition of a scouting. So no campaign goes on from its steps, and no repetition counts as begun by it."""

_DECIDING = f"""
    WITH measured AS (
        SELECT min(started_at) AS since FROM execution_events
        WHERE list_contains($hashes, context_hash) AND kind = '{EventKind.MEASURED}'
    )
    SELECT run_id FROM run_sessions s, measured
    WHERE list_contains($hashes, context_hash) AND status = '{EndStatus.COMPLETE}' AND EXISTS (
        SELECT 1 FROM execution_events e WHERE e.run_id = s.run_id AND kind = '{EventKind.SCOUTED}'
    )
    ORDER BY started_at < coalesce(since, 'inf'::DOUBLE) DESC,
        if(started_at < coalesce(since, 'inf'::DOUBLE), -started_at, started_at), run_id
    LIMIT 1
"""  # noqa: S608


def scouted_steps(connection: duckdb.DuckDBPyConnection, context_hash: str) -> list[ExecutionEvent]:
    """Return the steps of the scouting that decides the rates of a context, in their order; empty without one.

    It is the last complete scouting before the first measured run of the context, else the first complete one. So the
    rates of a campaign that has begun stay, whatever is scouted later.
    """
    found = connection.execute(_DECIDING, {"hashes": hashes_of(connection, context_hash)}).fetchone()
    if found is None:
        return []
    return read_events(connection, f"run_id = ? AND kind = '{EventKind.SCOUTED}'", [found[0]])
