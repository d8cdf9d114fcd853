"""Memories as an earlier release wrote them: each context under a hash that includes the overload rules."""

import json
from contextlib import closing
from pathlib import Path

from peva_env.memory import DuckDBMemoryStore
from peva_env.memory.contexts import possible_hashes


def store_as_earlier_release(path: Path) -> None:
    """Store each context of a memory's file under the hash that includes the rules."""
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        connection = store.database.connection
        for run_id, text in connection.execute("SELECT run_id, context_json FROM run_sessions").fetchall():
            _, earlier = possible_hashes(json.loads(text))
            for table in ("run_sessions", "execution_events"):
                connection.execute(f"UPDATE {table} SET context_hash = ? WHERE run_id = ?", [earlier, run_id])  # noqa: S608
