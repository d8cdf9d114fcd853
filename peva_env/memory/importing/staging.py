"""From recordings to temporary tables: events and sessions as lines of JSON, which DuckDB reads at once."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb

from peva_env import __version__
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import MemoryStoreError
from peva_env.memory.database import Database
from peva_env.memory.duckdb_errors import duckdb_problem
from peva_env.memory.event_rows import event_record
from peva_env.memory.importing.campaign import RECORDED_AS, ImportedCampaign, began_at
from peva_env.memory.importing.csv_file import Refusal
from peva_env.memory.importing.recording import RecordedRun, Recording
from peva_env.memory.parquet import one_file
from peva_env.memory.schema import IMPORTED, TABLES
from peva_env.space import config_id

LATENCIES_IN = "; latencies in "
"""In a session's detail, before the unit."""

_ENCODE = json.JSONEncoder(check_circular=False).encode
_DETAIL = "imported; times and counts of requests are derived"
_CATALOG = (
    "SELECT DISTINCT config_id, function_names, rates_rps, len(function_names)::INTEGER AS n_functions, "
    "list_sum(rates_rps)::BIGINT AS total_rate_rps FROM imported_execution_events"
)


class Staging:
    """Collects the rows of recordings in two files of a folder, and counts. Use it as a context manager.

    ``n_compared`` runs have both a judged and a recorded verdict; the two differ in ``n_disagreeing`` of them.
    ``files`` holds the file of each campaign's runs, and that of its skipped configurations.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = {table: folder / f"{table}.json" for table in ("run_sessions", "execution_events")}
        self.refusals: list[Refusal] = []
        self.files: dict[tuple[str, EventKind], Path] = {}
        self.n_runs = self.n_skipped = self.n_compared = self.n_disagreeing = 0
        self._sessions: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self._events = self.paths["execution_events"].open("w", encoding="utf-8")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._events.close()
        lines = (json.dumps(session) + "\n" for session in self._sessions.values())
        self.paths["run_sessions"].write_text("".join(lines), encoding="utf-8")

    def add(self, recording: Recording, campaign: ImportedCampaign) -> None:
        """Add the rows of a file, and the reasons why lines are refused."""
        self.refusals += recording.refusals
        if recording.runs:
            self._add_runs(recording, campaign)
        if recording.skips:
            self._add_skips(recording, campaign)

    def _add_runs(self, recording: Recording, campaign: ImportedCampaign) -> None:
        self.files[campaign.run_id, EventKind.MEASURED] = recording.file.path
        took_s = sum(run.rest_s + campaign.duration_s for run in recording.runs)
        begin = began_at(recording.file, took_s)
        for run, event in zip(recording.runs, campaign.runs(recording.runs, begin), strict=True):
            self._write(event_record(event))
            self._compare(run, event)
        self._note_session(campaign, begin, begin + took_s)
        if recording.latency_unit:
            self._sessions[campaign.run_id]["detail"] = f"{_DETAIL}{LATENCIES_IN}{recording.latency_unit}"
        self.n_runs += len(recording.runs)

    def _compare(self, run: RecordedRun, event: ExecutionEvent) -> None:
        if run.overloaded is not None and event.verdict is not Verdict.INVALID:
            last = event.reasons[-1] if event.reasons else ""
            self.n_compared += 1
            self.n_disagreeing += last.startswith(RECORDED_AS)

    def _add_skips(self, recording: Recording, campaign: ImportedCampaign) -> None:
        self.files[campaign.run_id, EventKind.SKIPPED] = recording.file.path
        at = began_at(recording.file, 0)
        record = event_record(campaign.skip(recording.skips[0], at))  # all alike, but for the configuration
        for rates in recording.skips:
            names, rates_rps = list(rates), list(rates.values())
            self._write(
                record | {"config_id": config_id(rates.items()), "function_names": names, "rates_rps": rates_rps}
            )
        self._note_session(campaign, at, at)
        self.n_skipped += len(recording.skips)

    def _write(self, record: Mapping[str, Any]) -> None:
        self._events.write(_ENCODE(record) + "\n")

    def _note_session(self, campaign: ImportedCampaign, began: float, ended: float) -> None:
        other = self._sessions.get(campaign.run_id)
        self._sessions[campaign.run_id] = {
            "run_id": campaign.run_id,
            "repetition": 1,
            "started_at": min(began, other["started_at"]) if other else began,
            "ended_at": max(ended, other["ended_at"]) if other else ended,
            "status": EndStatus.COMPLETE,
            "detail": other["detail"] if other else _DETAIL,
            "selection_mode": "online",
            "agent": IMPORTED,
            "context_hash": campaign.context_hash,
            "context_json": json.dumps(campaign.context, sort_keys=True),
            "package_version": __version__,
        }


@contextmanager
def loaded(database: Database, staging: Staging) -> Iterator[dict[str, str]]:
    """Yield the names of temporary tables with the staged rows, by the memory's table.

    Raises:
        MemoryStoreError: DuckDB cannot load them.
    """
    sources = {table: f"imported_{table}" for table in ("run_sessions", "config_catalog", "execution_events")}
    try:
        try:
            for table, path in staging.paths.items():
                _create(database, sources[table], f"SELECT * FROM {_json(table, path)}")  # noqa: S608
            _create(database, sources["config_catalog"], _CATALOG)
        except duckdb.Error as error:
            problem = duckdb_problem(error)
            raise MemoryStoreError(f"memory {database.path}: cannot import recordings: {problem}") from error
        yield sources
    finally:
        for source in sources.values():
            database.connection.execute(f"DROP TABLE IF EXISTS temp.{source}")


def _create(database: Database, source: str, query: str) -> None:
    database.connection.execute(f"CREATE TEMP TABLE {source} AS {query}")


def _json(table: str, path: Path) -> str:
    columns = ", ".join(f"{column}: '{kind}'" for column, kind in TABLES[table].columns.items())
    return f"read_json({one_file(path)}, format = 'newline_delimited', columns = {{{columns}}})"
