"""From recordings to temporary tables: events and sessions as lines of JSON, which DuckDB reads at once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb

from peva_env import __version__
from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.errors import MemoryStoreError
from peva_env.memory.database import Database, duckdb_problem
from peva_env.memory.dfaas.csv_file import CsvFile, Refusal
from peva_env.memory.dfaas.csv_rows import Rates, RecordedRun, read_runs, read_skips
from peva_env.memory.dfaas.imported_campaign import RECORDED_AS, ImportedCampaign, began_at
from peva_env.memory.event_rows import event_record
from peva_env.memory.parquet import one_file
from peva_env.memory.schema import TABLES
from peva_env.space import config_id

AGENT = "imported"

_ENCODE = json.JSONEncoder(check_circular=False).encode
_DETAIL = "imported; times and counts of requests are derived"
_CATALOG = (
    "SELECT DISTINCT config_id, function_names, rates_rps, len(function_names)::INTEGER AS n_functions, "
    "list_sum(rates_rps)::BIGINT AS total_rate_rps FROM imported_execution_events"
)


class Staging:
    """Collects the rows of recordings in two files of a folder, and counts. Use it as a context manager.

    ``n_compared`` runs have both a judged and a recorded verdict; the two differ in ``n_disagreeing`` of them.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = {table: folder / f"{table}.json" for table in ("run_sessions", "execution_events")}
        self.refusals: list[Refusal] = []
        self.n_runs = self.n_skipped = self.n_compared = self.n_disagreeing = 0
        self._sessions: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self._events = self.paths["execution_events"].open("w", encoding="utf-8")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._events.close()
        lines = (json.dumps(session) + "\n" for session in self._sessions.values())
        self.paths["run_sessions"].write_text("".join(lines), encoding="utf-8")

    def add(self, table: CsvFile, campaign: ImportedCampaign) -> None:
        """Add the rows of a file, or the reasons why they are refused."""
        if table.is_results:
            self._add_runs(campaign, table.path, self._accepted(read_runs(table, campaign.units)))
        else:
            self._add_skips(campaign, table.path, self._accepted(read_skips(table)))

    def _accepted[T](self, rows: Iterable[T | Refusal]) -> list[T]:
        accepted = []
        for row in rows:
            if isinstance(row, Refusal):
                self.refusals.append(row)
            else:
                accepted.append(row)
        return accepted

    def _add_runs(self, campaign: ImportedCampaign, path: Path, runs: list[RecordedRun]) -> None:
        took_s = sum(run.rest_s + campaign.units.duration_s for run in runs)
        begin = began_at(path, took_s)
        for run, event in zip(runs, campaign.runs(runs, begin), strict=True):
            self._write(event_record(event))
            self._compare(run, event)
        if runs:
            self._note_session(campaign, begin, begin + took_s)
        self.n_runs += len(runs)

    def _compare(self, run: RecordedRun, event: ExecutionEvent) -> None:
        if run.overloaded is not None and event.verdict is not Verdict.INVALID:
            last = event.reasons[-1] if event.reasons else ""
            self.n_compared += 1
            self.n_disagreeing += last.startswith(RECORDED_AS)

    def _add_skips(self, campaign: ImportedCampaign, path: Path, skips: list[Rates]) -> None:
        if not skips:
            return
        at = began_at(path, 0)
        record = event_record(campaign.skip(skips[0], at))  # all alike, but for the configuration
        for rates in skips:
            names, rates_rps = list(rates), list(rates.values())
            self._write(
                record | {"config_id": config_id(rates.items()), "function_names": names, "rates_rps": rates_rps}
            )
        self._note_session(campaign, at, at)
        self.n_skipped += len(skips)

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
            "detail": _DETAIL,
            "selection_mode": "online",
            "agent": AGENT,
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
