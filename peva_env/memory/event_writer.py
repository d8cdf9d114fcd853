"""Storing events with all that belongs to them: catalogue rows, raw summaries, and the policy updates they trigger."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import batched

import duckdb

from peva_env.contracts import ExecutionEvent
from peva_env.errors import MemoryStoreError
from peva_env.memory.contexts import stored_hash
from peva_env.memory.database import Database
from peva_env.memory.event_rows import EVENT_COLUMNS, event_from_record, event_record, event_row
from peva_env.memory.inserts import insert_rows
from peva_env.space import ConfigKey

_ROWS_AT_A_TIME = 1000
"""Rows of one INSERT, which are in RAM twice."""


@dataclass(frozen=True, slots=True)
class PolicyUpdate:
    """One update of a policy: its time (seconds since the epoch), mode, number of events, and the score it reported."""

    run_id: str
    update_index: int
    updated_at: float
    policy: str
    mode: str
    n_events: int
    score: float | None = None


class EventWriter:
    """Stores events in a memory, all or none.

    Args:
        database: the memory's file, which its owner opens and closes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalogued: set[str] = set()
        self._stored_hashes: dict[tuple[str, str], str] = {}

    def begin(self) -> None:
        """Begin with a file that was just opened: it may be another one than before."""
        self._catalogued = set()
        self._stored_hashes = {}

    def insert(self, events: Sequence[ExecutionEvent], updates: Sequence[PolicyUpdate]) -> int:
        """Store events and policy updates; see ``DuckDBMemoryStore.insert_events``."""
        try:
            return self._insert(events, batched(events, _ROWS_AT_A_TIME), updates)
        except MemoryStoreError as error:
            # Only now check for repeats: a check before each insert, or INSERT OR IGNORE, would double its cost.
            if isinstance(error.__cause__, duckdb.ConstraintException):
                return self._insert(events, ((event,) for event in events if not self._has(event)), updates)
            raise

    def _insert(
        self,
        events: Sequence[ExecutionEvent],
        new: Iterable[Sequence[ExecutionEvent]],
        updates: Sequence[PolicyUpdate],
    ) -> int:
        """Store those of the events that are ``new``, some at a time, and return how many these were."""
        n_new = 0
        catalogued = set(self._catalogued)
        with self._database.transaction("store an event") as connection:
            for some in new:
                _insert_events(connection, self._with_stored_hashes(connection, some), catalogued)
                n_new += len(some)
            for update in updates if n_new or not events else ():
                connection.execute("INSERT INTO policy_updates VALUES (?, ?, ?, ?, ?, ?, ?)", list(astuple(update)))
        self._catalogued = catalogued
        return n_new

    def _with_stored_hashes(
        self, connection: duckdb.DuckDBPyConnection, events: Sequence[ExecutionEvent]
    ) -> Sequence[ExecutionEvent]:
        """Return events with the hashes under which their campaigns are stored, perhaps by an earlier release."""
        contexts = {(event.run_id, event.context_hash) for event in events}
        for run_id, context_hash in contexts - self._stored_hashes.keys():
            if stored := stored_hash(connection, run_id, context_hash):
                self._stored_hashes[run_id, context_hash] = stored
        if all(self._stored_hashes.get(one, one[1]) == one[1] for one in contexts):
            return events
        return [
            replace(event, context_hash=self._stored_hashes.get((event.run_id, event.context_hash), event.context_hash))
            for event in events
        ]

    def _has(self, event: ExecutionEvent) -> bool:
        connection = self._database.connection
        (event,) = self._with_stored_hashes(connection, [event])
        row = connection.execute(
            f"SELECT {', '.join(EVENT_COLUMNS)} FROM execution_events "  # noqa: S608
            "WHERE config_id = ? AND iteration = ? AND repetition = ? AND run_id = ?",
            list(event.event_key),
        ).fetchone()
        if row is None:
            return False
        if event_from_record(dict(zip(EVENT_COLUMNS, row, strict=True))) != event_from_record(event_record(event)):
            raise MemoryStoreError(
                f"memory {self._database.path}: another event is stored under {event.event_key}; events never change"
            )
        return True


def _insert_events(
    connection: duckdb.DuckDBPyConnection, events: Sequence[ExecutionEvent], catalogued: set[str]
) -> None:
    insert_rows(connection, "execution_events", [event_row(event) for event in events])
    _catalogue(connection, {event.config_id: event.config_key for event in events if event.config_id not in catalogued})
    catalogued.update(event.config_id for event in events)
    summaries = [
        [*event.event_key, json.dumps(event.raw_summary, separators=(",", ":"))]
        for event in events
        if event.raw_summary is not None
    ]
    insert_rows(connection, "k6_raw_summaries", summaries)


def _catalogue(connection: duckdb.DuckDBPyConnection, keys: Mapping[str, ConfigKey]) -> None:
    """Describe configurations that the catalogue lacks. INSERT OR IGNORE would take twice as long as to look first."""
    if not keys:
        return
    marks = ", ".join("?" * len(keys))
    there = connection.execute(f"SELECT config_id FROM config_catalog WHERE config_id IN ({marks})", list(keys))  # noqa: S608
    described = {config_id for (config_id,) in there.fetchall()}
    rows = [
        [config_id, list(names), list(rates), len(names), sum(rates)]
        for config_id, (names, rates) in keys.items()
        if config_id not in described
    ]
    insert_rows(connection, "config_catalog", rows)
