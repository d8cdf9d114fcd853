"""Importing recordings of DFaaS and PEVA-FAAS as campaigns of a memory.

A ``results`` file and its ``skipped`` file are one campaign. Values that they lack are derived:

- The *run_id* is the node's name and the file's, without ``results-`` or ``skipped-``, or the folder's, where the file
  is called just ``results.csv``. So a file that is imported again, or has grown since, adds only what is new.
- An *iteration* is a further row of the same configuration in the same file.
- *Times*: the first run began at the time in the name (``YYYY-MM-DD_HH-MM-SS``, taken as UTC), each other when the one
  before it ended; without a time in the name, the last ended when the file was last changed. A file that continues a
  campaign but has that one's start in its name is so dated too early.
- *Requests*: offered = sent = rate x duration, succeeded = success rate x sent, the others failed as ``other``, none
  was dropped. The success rate is as recorded, 1 for a function at rate 0.
- The *verdict* is by ``peva_env.rules.judge``. Where the recording says otherwise, the last reason says so.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from peva_env.config import OverloadConfig
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.database import Database
from peva_env.memory.dfaas.csv_file import CsvFile, Refusal, read_header
from peva_env.memory.dfaas.csv_rows import LatencyUnit, Units
from peva_env.memory.dfaas.imported_campaign import ImportedCampaign, campaign_of
from peva_env.memory.dfaas.staging import AGENT, Staging, loaded
from peva_env.memory.parquet import Incoming, MergeCount, merge_tables
from peva_env.memory.store import DuckDBMemoryStore

__all__ = ["AGENT", "ImportReport", "Refusal", "import_dfaas"]

_MEASURED = ("kind", "duration_s", "cooldown_s", "success_rate", "mean_ms", "function_cpu_pct", "cpu_pct", "ram_pct")
"""Columns that must be equal when a line is imported again with the same options."""

_SAME_BY = {"run_sessions": ("context_hash", "agent"), "execution_events": _MEASURED}
"""The times of a file without a time in its name move when the file grows: an event keeps the times that it has."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: runs, skipped configurations, refused lines, and how many recorded verdicts agree.

    For ``n_compared`` and ``n_disagreeing`` see ``Staging``.
    """

    n_runs: int
    n_skipped: int
    refusals: tuple[Refusal, ...]
    n_compared: int
    n_disagreeing: int
    merged: Mapping[str, MergeCount]

    @property
    def agreement(self) -> float:
        """Share of the compared runs whose verdict is the recorded one, 0..1."""
        return 1 - self.n_disagreeing / self.n_compared if self.n_compared else 1.0


def import_dfaas(
    store: DuckDBMemoryStore,
    paths: Iterable[str | Path],
    *,
    node: str,
    cores: int,
    latency_unit: LatencyUnit,
    duration_s: float,
    rules: OverloadConfig | None = None,
    progress: Callable[[Path], None] = lambda _: None,
) -> ImportReport:
    """Import ``results`` and ``skipped`` files of one node, all or nothing; repeating an import changes nothing.

    Args:
        store: a started store.
        paths: the files, in any order.
        node: name of the node that was measured.
        cores: CPU percentages of the node are divided by this: they are summed over the cores.
        latency_unit: DFaaS recorded nanoseconds, PEVA-FAAS and this package milliseconds.
        duration_s: length of a run in seconds.
        rules: the overload rules; the default ones if not given.
        progress: called with each file that has been read.

    Raises:
        ConfigError: an argument is out of range, or two files would be the same campaign.
        MemoryStoreError: a file cannot be read, its rows are in the memory with other values, or the memory cannot be
            written; nothing is changed.
    """
    units = _units(node, Units(latency_unit, cores, duration_s))
    files = [read_header(path) for path in sorted({Path(path).resolve() for path in paths})]
    campaigns = [campaign_of(file, node=node, units=units, rules=rules or OverloadConfig()) for file in files]
    _check_names(files, campaigns)
    with tempfile.TemporaryDirectory(prefix="peva-import-") as folder:
        with Staging(Path(folder)) as staging:
            for file, campaign in zip(files, campaigns, strict=True):
                staging.add(file, campaign)
                progress(file.path)
        with loaded(store.database, staging) as sources:
            _check_unchanged(store.database, sources)
            merged = merge_tables(
                store.database, [Incoming("recordings", sources)], purpose="import recordings", same_by=_SAME_BY
            )
    return _report(staging, merged)


def _units(node: str, units: Units) -> Units:
    if units.cores < 1 or units.duration_s <= 0 or not node.strip():
        raise ConfigError(
            f"node = {node!r}, {units}: a node needs a name and at least one core, and a run a positive duration"
        )
    return units


def _report(staging: Staging, merged: Mapping[str, MergeCount]) -> ImportReport:
    return ImportReport(
        n_runs=staging.n_runs,
        n_skipped=staging.n_skipped,
        refusals=tuple(staging.refusals),
        n_compared=staging.n_compared,
        n_disagreeing=staging.n_disagreeing,
        merged=merged,
    )


def _check_names(files: list[CsvFile], campaigns: list[ImportedCampaign]) -> None:
    """Raise ``ConfigError`` if two files would be the same part of a campaign, or one campaign has two contexts."""
    known: dict[tuple[str, bool], Path] = {}
    contexts: dict[str, tuple[str, Path]] = {}
    for file, campaign in zip(files, campaigns, strict=True):
        if not file.functions:
            continue  # none of its lines is imported
        other = known.setdefault((campaign.run_id, file.is_results), file.path)
        context, first = contexts.setdefault(campaign.run_id, (campaign.context_hash, file.path))
        if other != file.path:
            raise ConfigError(f"{other} and {file.path} would both be campaign {campaign.run_id!r}; rename one of them")
        if context != campaign.context_hash:
            raise ConfigError(f"{first} and {file.path} have the name of one campaign, but different functions")


def _check_unchanged(database: Database, sources: Mapping[str, str]) -> None:
    """Raise ``MemoryStoreError`` if the memory holds other values under the same keys."""
    session = database.connection.execute(
        f"SELECT old.run_id, old.agent FROM run_sessions old JOIN {sources['run_sessions']} new USING (run_id) "  # noqa: S608
        "WHERE old.context_hash <> new.context_hash OR old.agent IS DISTINCT FROM new.agent LIMIT 1"
    ).fetchone()
    if session:
        raise MemoryStoreError(
            f"memory {database.path}: campaign {session[0]!r} is there already, of other functions, cores, duration or "
            "rules; import into another memory, or give another node name"
        )
    old, new = (f"row({', '.join(f'{side}.{column}' for column in _MEASURED)})" for side in ("old", "new"))
    event = database.connection.execute(
        f"SELECT count(*), min(old.run_id) FROM execution_events old JOIN {sources['execution_events']} new "  # noqa: S608
        f"USING (config_id, iteration, repetition, run_id) WHERE {old} IS DISTINCT FROM {new}"
    ).fetchone()
    if event and event[0]:
        raise MemoryStoreError(
            f"memory {database.path}: {event[0]} runs of campaign {event[1]!r} are there already with other values; "
            "give the same options as before, or import into another memory"
        )
