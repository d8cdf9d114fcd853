"""Importing recordings as campaigns of a memory, all or nothing, and each run once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peva_env.config import LONGEST_S, OverloadConfig
from peva_env.contracts import EventKind
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.contexts import parsed_context, stored_hash
from peva_env.memory.database import Database
from peva_env.memory.importing.campaign import ImportedCampaign, campaign_of
from peva_env.memory.importing.copies import MEASURED, Copy, content, drop_copies
from peva_env.memory.importing.csv_file import CsvFile, Refusal, shortened
from peva_env.memory.importing.recording import Recording
from peva_env.memory.importing.staging import LATENCIES_IN, Staging, loaded
from peva_env.memory.parquet import Incoming, MergeCount, merge_tables
from peva_env.memory.schema import IMPORTED
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.space import config_text
from peva_env.system import processes

_SAME_BY = {"run_sessions": ("context_hash", "agent"), "execution_events": MEASURED}
"""The columns by which a session or an event of the memory is that of the files; it keeps the times that it has."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: runs, skipped configurations, refused lines, and how many recorded verdicts agree.

    The counts are of what the files hold, copies too. ``found`` says how each file is written, ``copies`` are files
    whose content the memory or another file has. For ``n_compared`` and ``n_disagreeing`` see ``Staging``.
    """

    n_runs: int
    n_skipped: int
    refusals: tuple[Refusal, ...]
    n_compared: int
    n_disagreeing: int
    merged: Mapping[str, MergeCount]
    found: Mapping[Path, tuple[str, ...]]
    copies: tuple[Copy, ...]

    @property
    def agreement(self) -> float:
        """Share of the compared runs whose verdict is the recorded one, 0..1."""
        return 1 - self.n_disagreeing / self.n_compared if self.n_compared else 1.0


def import_recordings(
    store: DuckDBMemoryStore,
    recordings: Iterable[Recording],
    *,
    node: Mapping[str, Any],
    duration_s: float,
    rules: OverloadConfig,
    progress: Callable[[Path], None],
) -> ImportReport:
    """Import recordings of one node, all or nothing; repeating an import changes nothing.

    Args:
        store: a started store.
        recordings: a file each.
        node: describes the node in the context of its campaigns; ``name`` is required.
        duration_s: length of a run in seconds.
        rules: the overload rules.
        progress: called with each file that has been read.

    Raises:
        ConfigError: an argument is out of range, or two files would be the same campaign.
        MemoryStoreError: a file lacks runs of its campaign in the memory, or has other values of them, or the memory
            cannot be written; nothing is changed.
    """
    if not 0 < duration_s <= LONGEST_S or not node["name"].strip():
        said = f"node = {node['name']!r}, duration {duration_s} s"
        raise ConfigError(f"{said}: a node needs a name, a run a duration of at most a year")
    database, files = store.database, _Files()
    with processes.temporary_folder("peva-import-") as folder:
        with Staging(folder) as staging:
            for recording in recordings:
                campaign = campaign_of(recording, node=node, duration_s=duration_s, rules=rules)
                campaign = _with_stored_hash(campaign, database)
                if files.is_new(recording, campaign):
                    _check_unit(database, recording, campaign)
                    staging.add(recording, campaign)
                progress(recording.file.path)
        with loaded(database, staging) as sources:
            copies, n_copied = drop_copies(database, sources, staging)
            _check_sessions(database, sources)
            _check_runs(database, sources["execution_events"], staging)
            _drop_old_sessions(database, sources)
            merged = merge_tables(
                database, [Incoming("recordings", sources)], purpose="import recordings", same_by=_SAME_BY
            )
    events = merged["execution_events"]
    return ImportReport(
        n_runs=staging.n_runs,
        n_skipped=staging.n_skipped,
        refusals=tuple(staging.refusals),
        n_compared=staging.n_compared,
        n_disagreeing=staging.n_disagreeing,
        merged={**merged, "execution_events": replace(events, kept=events.kept + n_copied)},
        found=files.found,
        copies=(*files.copies, *copies),
    )


class _Files:
    """The files of an import: none may be imported twice, or be taken for a part of another one's campaign."""

    def __init__(self) -> None:
        self.found: dict[Path, tuple[str, ...]] = {}
        self.copies: list[Copy] = []
        self._parts: dict[tuple[str, bool], CsvFile] = {}
        self._contexts: dict[str, tuple[str, Path]] = {}

    def is_new(self, recording: Recording, campaign: ImportedCampaign) -> bool:
        """Note a file; return whether it is no copy of the same name. ``drop_copies`` finds those of other names.

        Raises:
            ConfigError: two files would be the same part of a campaign, or one campaign would have two contexts.
        """
        path = recording.file.path
        self.found[path] = recording.file.found
        if not recording.runs and not recording.skips:
            return True  # nothing is imported of it
        other = self._parts.setdefault((campaign.run_id, recording.is_results), recording.file)
        if other.path != path and other.digest == recording.file.digest:
            self.copies.append(Copy(path, str(other.path)))
            return False
        if other.path != path:
            raise ConfigError(f"{other.path} and {path} would both be campaign {campaign.run_id!r}; rename one of them")
        context, first = self._contexts.setdefault(campaign.run_id, (campaign.context_hash, path))
        if context != campaign.context_hash:
            raise ConfigError(f"{first} and {path} have the name of one campaign, but different functions")
        return True


def _with_stored_hash(campaign: ImportedCampaign, database: Database) -> ImportedCampaign:
    """Return the campaign under the hash under which the memory has it, perhaps that of an earlier release."""
    stored = stored_hash(database.connection, campaign.run_id, campaign.context_hash)
    return replace(campaign, context_hash=stored) if stored else campaign


def _check_unit(database: Database, recording: Recording, campaign: ImportedCampaign) -> None:
    """Raise ``MemoryStoreError`` if the campaign was imported with another unit of latencies."""
    detail = database.connection.execute(
        "SELECT detail FROM run_sessions WHERE run_id = ? AND agent = ?", [campaign.run_id, IMPORTED]
    ).fetchone()
    before = (detail[0] or "").partition(LATENCIES_IN)[2] if detail else ""
    if before and recording.latency_unit not in (None, before):
        raise MemoryStoreError(
            f"{recording.file.path}: campaign {campaign.run_id!r} of memory {database.path} has latencies in {before}, "
            f"not {recording.latency_unit}; give the same unit, or import into another memory"
        )


def _check_sessions(database: Database, sources: Mapping[str, str]) -> None:
    """Raise ``MemoryStoreError`` if the memory has a campaign of another context under the name of a file's."""
    session = database.connection.execute(
        "SELECT run_id, old.context_json, new.context_json "  # noqa: S608
        f"FROM run_sessions old JOIN {sources['run_sessions']} new USING (run_id) "
        "WHERE old.context_hash <> new.context_hash OR old.context_json <> new.context_json "
        "OR old.agent IS DISTINCT FROM new.agent LIMIT 1"
    ).fetchone()
    if session:
        run_id, old, new = session
        raise MemoryStoreError(
            f"memory {database.path}: campaign {run_id!r} is there already, of other "
            f"functions{_new_functions(old, new)}, cores, duration or rules; "
            "import into another memory, or give another node name"
        )


def _new_functions(old: str | None, new: str | None) -> str:
    """Return which functions only the new one of two contexts has, for a message."""
    before, now = (parsed_context(text).get("functions") for text in (old, new))
    names = sorted(now.keys() - before.keys()) if isinstance(before, dict) and isinstance(now, dict) else ()
    return f" (new: {shortened(', '.join(names))})" if names else ""


def _check_runs(database: Database, events: str, staging: Staging) -> None:
    """Raise ``MemoryStoreError`` if a file lacks runs of the campaign that it adds to, or has other values of them.

    Equal keys are not enough: a corrected rate, or another scale, makes other keys, and so makes new runs of old lines.
    """
    problem = database.connection.execute(
        f"""
        WITH old AS (
            SELECT *, count(*) OVER (PARTITION BY run_id, kind) AS n_runs FROM execution_events
            WHERE row(run_id, kind) IN (SELECT DISTINCT row(run_id, kind) FROM {events})
        )
        SELECT old.run_id, old.kind, count(*) OVER (PARTITION BY old.run_id, old.kind), old.n_runs,
            old.function_names, old.rates_rps, old.iteration
        FROM old LEFT JOIN {events} new USING (config_id, iteration, repetition, run_id)
        WHERE new.run_id IS NULL OR {content("old")} IS DISTINCT FROM {content("new")}
        ORDER BY old.run_id, old.kind, old.started_at, old.function_names, old.rates_rps LIMIT 1
        """  # noqa: S608
    ).fetchone()
    if problem is None:
        return
    run_id, kind, n_unlike, n_runs, names, rates_rps, iteration = problem
    first = config_text(zip(names, rates_rps, strict=True))
    of, which = ("runs", f", iteration {iteration}") if kind == EventKind.MEASURED else ("skipped configurations", "")
    raise MemoryStoreError(
        f"{staging.files[run_id, kind]}: gives {n_unlike} of the {n_runs} {of} of campaign {run_id!r} of memory "
        f"{database.path} with other values or not at all, first {first}{which}; "
        "give the file and the options of that import, another node name, or another memory"
    )


def _drop_old_sessions(database: Database, sources: Mapping[str, str]) -> None:
    """Drop staged sessions of campaigns that gain no event, so that their times stay as they are."""
    database.connection.execute(
        f"DELETE FROM {sources['run_sessions']} WHERE run_id IN (SELECT run_id FROM run_sessions) "  # noqa: S608
        f"AND run_id NOT IN (SELECT run_id FROM {sources['execution_events']} "
        "ANTI JOIN execution_events USING (config_id, iteration, repetition, run_id))"
    )
