"""The memory's file: one DuckDB database, one writer, six tables.

Every write is one transaction; when a method that writes returns, DuckDB has flushed it to disk.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peva_env.contracts import EndReason, EndStatus, ExecutionEvent
from peva_env.errors import MemoryStoreError
from peva_env.memory.clock import MemoryClock
from peva_env.memory.contexts import campaign_text, hashes_of, parsed_context
from peva_env.memory.database import Database
from peva_env.memory.event_rows import read_events
from peva_env.memory.event_writer import EventWriter, PolicyUpdate
from peva_env.memory.inserts import insert
from peva_env.memory.schema import RECHECK_AGENT
from peva_env.memory.session_rules import SessionRules, session_rules

DEFAULT_SCHEMA_VERSION = "peva_faas_mem_v1"

_LOG_ONLY = "SET wal_autocheckpoint = '1TB'"
"""During a campaign DuckDB only appends to its log, and checkpoints it when the memory is closed: one of some 2,500
processes that were killed during constant checkpoints left a torn block."""

_LATEST = """
    SELECT max(moment) FROM (
        SELECT unnest([started_at, ended_at]) AS moment FROM run_sessions
        UNION ALL SELECT unnest([started_at, ended_at]) FROM execution_events
    ) WHERE isfinite(moment)
"""
"""The latest time that a memory holds; NULL if it holds none."""


@dataclass(frozen=True, slots=True)
class Session:
    """One campaign: its run id, repetition, context, seed and versions."""

    run_id: str
    repetition: int
    context_hash: str
    context: Mapping[str, Any]
    selection_mode: str = "online"
    seed: int | None = None
    k6_version: str | None = None
    package_version: str = ""


class DuckDBMemoryStore:
    """Reads and writes the memory's tables. ``path`` may be ``:memory:``.

    Threads that store wait for each other. A thread must not read while another one stores or reads: they share a
    connection, and DuckDB gives one the rows of the other.

    Args:
        path: the database file; ``startup`` creates it and its folder if they do not exist.
        schema_version: the label that the file must carry.

    ``clock`` gives the times of the sessions and of the events that are measured for them.
    """

    def __init__(self, path: str | Path, schema_version: str = DEFAULT_SCHEMA_VERSION) -> None:
        self.database = Database(str(path), schema_version)
        self.clock = MemoryClock()
        self._writer = EventWriter(self.database)

    def startup(self) -> None:
        """Open the file, or create it, and check its schema. Sessions still marked as running are marked as crashed.

        Raises:
            MemoryStoreError: the file cannot be opened, is locked by another process, or is not a DuckDB database.
            SchemaMismatchError: label, tables, columns or types differ; the file is left as it was.
        """
        if self.database.is_open:
            return
        self.database.open()
        self._writer.begin()
        self.mark_crashed_sessions()

    def mark_crashed_sessions(self) -> None:
        """Mark sessions as crashed that are still marked as running: no other process can have the file open."""
        with self.database.transaction("mark crashed sessions") as connection:
            connection.execute(
                "UPDATE run_sessions SET status = ?, detail = ? WHERE status = ?",
                [EndStatus.CRASHED, f"{EndReason.KILLED}: found by the next start", EndStatus.RUNNING],
            )

    def close(self) -> None:
        """Close the file; may be called twice."""
        self.database.close()

    def discard(self) -> None:
        """Close the file, and leave nothing of it if this store has begun it and not closed it since."""
        self.database.discard()

    def schema_version(self) -> str:
        """Return the schema label of the file."""
        return self.database.label()

    def validate_preload_schema(self, schema_version: str) -> None:
        """Check that a schema label is the one of this store. PEVA-FAAS users rely on it before a preload.

        Raises:
            SchemaMismatchError: it is not; there is no automatic migration.
        """
        self.database.check_label(schema_version)

    def insert_events(self, events: Sequence[ExecutionEvent], updates: Sequence[PolicyUpdate] = ()) -> int:
        """Store events with their catalogue rows and raw summaries, and policy updates, all or none.

        Updates belong to the events: where all events are stored already, the updates are not stored again.

        Returns:
            How many events were new.

        Raises:
            MemoryStoreError: a different event is stored under the same key, or the file cannot be written.
        """
        return self._writer.insert(events, updates)

    def events(self, context_hash: str, repetition: int | None = None) -> list[ExecutionEvent]:
        """Return the events of a context, of one repetition or of all, in the order of their measurement.

        They have the present hash of the context, also where the hash of an earlier release is stored.
        """
        events = read_events(
            self.database.connection,
            "list_contains(?, context_hash) AND (repetition = ? OR ?)",
            [self._stored_hashes(context_hash), repetition, repetition is None],
        )
        return [
            event if event.context_hash == context_hash else replace(event, context_hash=context_hash)
            for event in events
        ]

    def last_repetition(self, context_hash: str, *, rechecks: bool = True) -> int:
        """Return the highest repetition with an event of this context, 0 if there is none.

        Without ``rechecks`` the events of re-checks do not count: a campaign does not go on with one.
        """
        but_rechecks = "" if rechecks else "AND run_id NOT IN (SELECT run_id FROM run_sessions WHERE agent = ?)"
        row = self.database.connection.execute(
            f"SELECT max(repetition) FROM execution_events WHERE list_contains(?, context_hash) {but_rechecks}",  # noqa: S608
            [self._stored_hashes(context_hash), *([] if rechecks else [RECHECK_AGENT])],
        ).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def completed_at(self, context_hash: str, repetition: int) -> float:
        """Return when a campaign of a context and repetition was last complete, in seconds since the epoch; else 0."""
        row = self.database.connection.execute(
            "SELECT max(ended_at) FROM run_sessions WHERE list_contains(?, context_hash) AND repetition = ? "
            "AND status = ?",
            [self._stored_hashes(context_hash), repetition, EndStatus.COMPLETE],
        ).fetchone()
        return float(row[0]) if row and row[0] is not None else 0.0

    def context(self, run_id: str) -> dict[str, Any]:
        """Return the context of a campaign as plain data; empty if there is no such campaign."""
        row = self.database.connection.execute(
            "SELECT context_json FROM run_sessions WHERE run_id = ?", [run_id]
        ).fetchone()
        return parsed_context(row[0]) if row else {}

    def session_rules(self) -> dict[str, SessionRules]:
        """Return the overload rules of each campaign whose context holds them, by run_id."""
        return session_rules(self.database.connection)

    def append_only(self) -> None:
        """Only append to DuckDB's log from now on, until a campaign ends or the file is closed: see ``_LOG_ONLY``."""
        self.database.connection.execute(_LOG_ONLY)

    def run_ids(self) -> set[str]:
        """Return the names of all campaigns."""
        return {name for (name,) in self.database.connection.execute("SELECT run_id FROM run_sessions").fetchall()}

    def namesake(self, session: Session) -> str | None:
        """Return how another campaign with the run_id of a session differs from it; None if there is none."""
        row = self.database.connection.execute(
            "SELECT context_json, context_hash, repetition, started_at FROM run_sessions WHERE run_id = ?",
            [session.run_id],
        ).fetchone()
        if row is None or (row[1] in self._stored_hashes(session.context_hash) and row[2] == session.repetition):
            return None
        ours = campaign_text(json.dumps(session.context), session.context_hash, session.repetition)
        return f"{campaign_text(*row)} instead of {ours}; choose another run_id, or leave it out"

    def require_name(self, session: Session) -> None:
        """Check that no other campaign has the run_id of a session.

        Raises:
            MemoryStoreError: one of another context or repetition has it.
        """
        if (difference := self.namesake(session)) is not None:
            raise MemoryStoreError(
                f"memory {self.database.path}: run_id {session.run_id!r} is that of another campaign, {difference}"
            )

    def open_session(self, session: Session) -> None:
        """Record that a campaign starts, or continues if its run_id and context are known.

        Its times, or those of its continuation, follow all that the memory holds, though the clock was set back since.

        Raises:
            MemoryStoreError: the run_id belongs to a campaign of another context or repetition.
        """
        self.require_name(session)
        known = session.run_id in self.run_ids()
        self.append_only()
        with self.database.transaction("open a session") as connection:
            (latest_s,) = connection.execute(_LATEST).fetchall()[0]
            self.clock.begin(latest_s or 0.0)
            if known:
                # Its last end stays, by which a merge knows that this row is newer than one that ended then.
                connection.execute(
                    "UPDATE run_sessions SET status = ?, detail = NULL WHERE run_id = ?",
                    [EndStatus.RUNNING, session.run_id],
                )
            else:
                insert(connection, "run_sessions", _session_record(session, self.clock.now()))

    def name_agent(self, run_id: str, agent: str) -> None:
        """Record which agent drives a campaign."""
        with self.database.transaction("name the agent") as connection:
            connection.execute("UPDATE run_sessions SET agent = ? WHERE run_id = ?", [agent, run_id])

    def close_session(self, run_id: str, status: EndStatus, detail: str | None = None) -> None:
        """Record how a campaign ended."""
        with self.database.transaction("close a session") as connection:
            connection.execute(
                "UPDATE run_sessions SET status = ?, detail = ?, ended_at = ? WHERE run_id = ?",
                [status, detail, self.clock.now(), run_id],
            )
        self.database.connection.execute("RESET wal_autocheckpoint")

    def next_update_index(self, run_id: str) -> int:
        """Return the number of a campaign's next policy update."""
        row = self.database.connection.execute(
            "SELECT coalesce(max(update_index) + 1, 0) FROM policy_updates WHERE run_id = ?", [run_id]
        ).fetchone()
        return int(row[0]) if row else 0

    def set_score(self, update: PolicyUpdate, score: float) -> None:
        """Record the score that a policy reported for an update."""
        with self.database.transaction("store a score") as connection:
            connection.execute(
                "UPDATE policy_updates SET score = ? WHERE run_id = ? AND update_index = ?",
                [score, update.run_id, update.update_index],
            )

    def _stored_hashes(self, context_hash: str) -> list[str]:
        return hashes_of(self.database.connection, context_hash)


def _session_record(session: Session, started_at: float) -> dict[str, Any]:
    return {
        "run_id": session.run_id,
        "repetition": session.repetition,
        "started_at": started_at,
        "status": str(EndStatus.RUNNING),
        "selection_mode": session.selection_mode,
        "seed": session.seed,
        "context_hash": session.context_hash,
        "context_json": json.dumps(session.context, sort_keys=True),
        "k6_version": session.k6_version,
        "package_version": session.package_version,
    }
