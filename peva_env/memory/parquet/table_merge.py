"""Merging rows into a memory's tables: every row of every input is there afterwards, or nothing is changed.

Measurements never change, so that two different rows of one key are of two campaigns: they are refused. Only what is
written after a row (the end of a campaign, the score of an update) is taken from the newest. The times of imported
events are not compared, because they follow the age of a file: the earliest stay, whatever is merged first.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from peva_env.errors import MemoryStoreError
from peva_env.memory.database import Database
from peva_env.memory.parquet.campaign_names import (
    CampaignIdentity,
    Fit,
    NameClash,
    campaigns,
    doubled_name,
    settle_names,
)
from peva_env.memory.parquet.merge_checks import MergeChecks
from peva_env.memory.parquet.table_export import quoted
from peva_env.memory.schema import IMPORTED, TABLES

_RENAMED = "renamed_campaigns"

_MUTABLE = {
    "memory_schema_meta": ("created_at", "package_version"),  # of the file itself
    # A campaign ends, and is resumed; two releases may import one file.
    "run_sessions": ("ended_at", "status", "detail", "agent", "started_at", "package_version"),
    "execution_events": ("started_at", "ended_at"),  # of an import, derived from the age of its file; see _TIMES
    "policy_updates": ("score",),  # stored after the row
}
"""The columns that may differ between two copies of a row."""

_TIMES = (
    f"CASE WHEN mine.run_id NOT IN (SELECT run_id FROM run_sessions WHERE agent = '{IMPORTED}') "  # noqa: S608
    "THEN row({side}.started_at, {side}.ended_at) END"
)
"""SQL expression of the times of an event, which are its own unless it is imported."""

_EARLIEST = (
    "ON CONFLICT DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at "
    "WHERE excluded.started_at < execution_events.started_at"
)
"""What becomes of an event that is there; only those of imports can have other times."""

_FIRST = {"run_sessions": "ended_at DESC", "execution_events": "started_at"}
"""The order of several rows of one import; the first of them counts."""

_NEWNESS = {
    "memory_schema_meta": "-{row}.created_at",  # the first one made the memory
    # An end outranks a start, what went on since an end outranks it, and what was killed then is the latest.
    "run_sessions": "(coalesce({row}.ended_at, 0), {row}.status IN ('running', 'crashed'), {row}.status <> 'running')",
    "policy_updates": "{row}.score IS NOT NULL",
}
"""Decides which of two rows of one key gives its mutable columns; if equal, the columns themselves decide."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Rows to be merged: their origin for error messages, and an SQL relation (the text after FROM) for each table."""

    origin: str
    tables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MergeCount:
    """The rows of a merge: inserted, updated (an older row was replaced), kept (the memory had it or a newer one)."""

    inserted: int
    updated: int
    kept: int


def merge_tables(
    database: Database,
    inputs: Sequence[Incoming],
    *,
    purpose: str,
    rename: bool = False,
    same_by: Mapping[str, Sequence[str]] | None = None,
    before_commit: Callable[[], None] = lambda: None,
) -> dict[str, MergeCount]:
    """Merge rows into tables in one transaction; repeating a merge changes nothing.

    Args:
        database: an open database.
        inputs: merged one after the other.
        purpose: the verb of the error message ``cannot <purpose>``.
        rename: give an incoming campaign whose ``run_id`` another campaign has a longer one, instead of refusing it.
        same_by: columns by which two rows of one key are the same, by table; all columns where it says nothing.
        before_commit: called when all rows are merged; nothing is changed if it raises.

    Returns:
        The counts of each table, summed over the inputs.

    Raises:
        MemoryStoreError: two campaigns have one ``run_id``, two rows of one key differ, a row lacks a row of another
            table that it belongs to, or a value that each row has; an event is none that a memory writes, or has the
            ``run_id`` of another campaign; raw summaries do not fit their events; or an input cannot be read or holds a
            key twice; nothing is changed.
    """
    with database.transaction(purpose) as connection:
        counts = [_Merge(connection, database.path, one, same_by or {}).run(rename=rename) for one in inputs]
        before_commit()
    return {table: _total(count[table] for count in counts if table in count) for table in TABLES}


class _Merge:
    """The merge of one input, within a transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: str,
        incoming: Incoming,
        same_by: Mapping[str, Sequence[str]],
    ) -> None:
        self._connection = connection
        self._problem = f"memory {path}: cannot merge {incoming.origin}"
        self._sources = dict(incoming.tables)
        self._same_by = same_by
        self._with_news: set[str] | None = None

    def run(self, *, rename: bool) -> dict[str, MergeCount]:
        """Check all rows, then insert them."""
        n_offered = dict(zip(self._sources, self._counts(self._sources.values()), strict=True))
        # An empty table is left out: it takes as long to plan its queries as those of a small one.
        self._sources = {table: source for table, source in self._sources.items() if n_offered[table]}
        n_stored = dict(zip(self._sources, self._counts(self._sources), strict=True))
        checks = MergeChecks(self._connection, self._problem)
        checks.before(self._sources)
        if "run_sessions" in self._sources and "run_sessions" not in self._same_by:
            self._settle_names(rename=rename)
        for table, source in self._sources.items():
            if n_stored[table]:
                self._check_equal(table, source)
        counts = {
            table: self._insert(table, source, n_offered[table], n_stored[table])
            for table, source in self._sources.items()
        }
        checks.after(self._sources)
        return counts

    def _settle_names(self, *, rename: bool) -> None:
        stored, incoming = (
            campaigns(self._connection, sessions) for sessions in ("run_sessions", self._sources["run_sessions"])
        )
        settled = settle_names(stored, incoming, self._fit)
        if settled.torn:
            raise MemoryStoreError(f"{self._problem}: {_torn_text(*settled.torn[0])}")
        if settled.clashes and not rename:
            raise MemoryStoreError(f"{self._problem}: {_clash_text(settled.clashes)}")
        doubled = doubled_name(stored, settled)
        if doubled:
            raise MemoryStoreError(
                f"{self._problem}: two different campaigns would have the name {doubled!r}; keep the two memories apart"
            )
        hashes = {campaign.run_id: campaign.context_hash for campaign in stored}
        self._rename(
            [
                (one.run_id, name, one.context_hash, hashes.get(name, one.context_hash))
                for one in incoming
                if (name := settled.names[one.run_id]) != one.run_id
                or hashes.get(name, one.context_hash) != one.context_hash
            ]
        )
        self._join({settled.names[run_id] for run_id in settled.spare})

    def _join(self, names: Collection[str]) -> None:
        """Let several imports enter as the one of their name, with the earliest times of each event."""
        for table in _FIRST.keys() & self._sources.keys() if names else ():
            self._sources[table] = (
                f"(FROM {self._sources[table]} QUALIFY NOT list_contains([{', '.join(map(quoted, names))}], run_id) "
                f"OR row_number() OVER (PARTITION BY {', '.join(TABLES[table].key)} ORDER BY {_FIRST[table]}) = 1)"
            )

    def _rename(self, campaigns: Sequence[tuple[str, str, str, str]]) -> None:
        """Let campaigns enter under other names, and under the context hashes of the memory's campaigns of these names.

        ``campaigns`` holds the run_id of each, its new one, its context hash, and the new one of that.
        """
        if not campaigns:
            return
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_RENAMED} "
            "(run_id VARCHAR, new_run_id VARCHAR, old_hash VARCHAR, new_hash VARCHAR)"
        )
        self._connection.executemany(f"INSERT INTO {_RENAMED} VALUES (?, ?, ?, ?)", campaigns)  # noqa: S608
        new = {
            "run_id": "coalesce(new_run_id, t.run_id) AS run_id",
            "context_hash": "if(context_hash = old_hash, new_hash, context_hash) AS context_hash",
        }
        for table, source in self._sources.items():
            columns = TABLES[table].columns
            if "run_id" in columns:
                self._sources[table] = (
                    f"(SELECT {', '.join(new.get(column, f't.{column}') for column in columns)} "  # noqa: S608
                    f"FROM {source} t LEFT JOIN {_RENAMED} r ON t.run_id = r.run_id)"
                )

    def _fit(self, incoming: CampaignIdentity, stored: CampaignIdentity) -> Fit | None:
        """Tell how the runs of an import fit those of one of the memory, equal but for their times: a grown file.

        Measured and skipped configurations are of two files, and are compared apart.
        """
        source, run_id, stored_as = self._sources.get("execution_events"), incoming.run_id, quoted(stored.run_id)
        if source is None or (run_id == stored.run_id and run_id not in self._campaigns_with_news(source)):
            return Fit.WITHIN
        own = (
            f"(SELECT * REPLACE ({stored_as} AS run_id, if(context_hash = {quoted(incoming.context_hash)}, "  # noqa: S608
            f"{quoted(stored.context_hash)}, context_hash) AS context_hash) FROM {source} "
            f"WHERE run_id = {quoted(run_id)})"
        )
        if self._difference("execution_events", own) is not None:
            return None
        found = self._connection.execute(
            f"SELECT count_if(mine.kind IS NULL), count_if(theirs.kind IS NULL) "  # noqa: S608
            f"FROM (FROM execution_events WHERE run_id = {stored_as}) mine "
            f"FULL JOIN {own} theirs USING ({', '.join(TABLES['execution_events'].key)}) "
            "GROUP BY coalesce(mine.kind, theirs.kind)"
        ).fetchall()
        if any(n_new and n_missing for n_new, n_missing in found):
            return None
        return Fit.BEYOND if any(n_new for n_new, _ in found) else Fit.WITHIN

    def _campaigns_with_news(self, source: str) -> set[str]:
        """Return the campaigns with an event that the memory has otherwise, or not at all, under their own names."""
        if self._with_news is None:
            mine, theirs = self._compared("execution_events")
            rows = self._connection.execute(
                f"SELECT DISTINCT run_id FROM {source} theirs LEFT JOIN execution_events mine "  # noqa: S608
                f"USING ({', '.join(TABLES['execution_events'].key)}) "
                f"WHERE mine.kind IS NULL OR {mine} IS DISTINCT FROM {theirs}"
            ).fetchall()
            self._with_news = {run_id for (run_id,) in rows}
        return self._with_news

    def _check_equal(self, table: str, source: str) -> None:
        """Raise ``MemoryStoreError`` if a row differs from that of its key in the memory."""
        differing = self._difference(table, source)
        if differing is None:
            return
        row, ours, their, n = differing
        context = f" (context {their}, and {ours} in the memory)" if ours or their else ""
        raise MemoryStoreError(
            f"{self._problem}: {n:,} rows of {table} differ from the rows of the memory with the same key, the first "
            f"is {row}{context}; they are different measurements, keep the two memories apart"
        )

    def _difference(self, table: str, source: str) -> tuple[str, str, str, int] | None:
        """Return the first row that differs from that of its key in the memory, both contexts, and how many differ."""
        key = TABLES[table].key
        mine, theirs = self._compared(table)
        if mine == theirs:
            return None
        contexts = "mine.context_hash, theirs.context_hash" if "context_hash" in TABLES[table].columns else "'', ''"
        found: tuple[str, str, str, int] | None = self._connection.execute(
            f"SELECT concat_ws('/', {', '.join(key)}), {contexts}, count(*) OVER () FROM {table} mine "  # noqa: S608
            f"JOIN {source} theirs USING ({', '.join(key)}) WHERE {mine} IS DISTINCT FROM {theirs} ORDER BY 1 LIMIT 1"
        ).fetchone()
        return found

    def _compared(self, table: str) -> tuple[str, str]:
        """Return SQL expressions of what must not differ between two rows of one key, of mine and theirs."""
        apart = (*TABLES[table].key, *_MUTABLE.get(table, ()))
        fixed = [column for column in TABLES[table].columns if column not in apart]
        compared = [f"{{side}}.{column}" for column in self._same_by.get(table, fixed)]
        if table == "execution_events" and table not in self._same_by:
            compared.append(_TIMES)
        mine, theirs = (f"row({', '.join(compared)})".format(side=side) for side in ("mine", "theirs"))
        return mine, theirs

    def _insert(self, table: str, source: str, n_offered: int, n_stored: int) -> MergeCount:
        key = ", ".join(TABLES[table].key)
        n_rows, n_distinct = self._counts([source, f"(SELECT DISTINCT {key} FROM {source})"])  # noqa: S608
        if n_distinct < n_rows:
            raise MemoryStoreError(f"{self._problem}: its {table} has {n_rows - n_distinct:,} keys twice")
        columns = ", ".join(TABLES[table].columns)
        # Nothing conflicts in an empty table, and a plain insert is several times faster.
        conflict = _on_conflict(table, is_import=table in self._same_by) if n_stored else ""
        row = self._connection.execute(f"INSERT INTO {table} SELECT {columns} FROM {source} {conflict}").fetchone()  # noqa: S608
        written = int(row[0]) if row else 0
        (n_now,) = self._counts([table])
        inserted = n_now - n_stored
        return MergeCount(inserted, written - inserted, n_offered - written)

    def _counts(self, relations: Iterable[str]) -> tuple[int, ...]:
        """Return the number of rows of each relation, by one query."""
        counts = ", ".join(f"(SELECT count(*) FROM {relation})" for relation in relations)  # noqa: S608
        return tuple(map(int, self._connection.execute(f"SELECT {counts}").fetchall()[0])) if counts else ()


def _torn_text(incoming: CampaignIdentity, stored: Sequence[str]) -> str:
    names = ", ".join(map(repr, sorted(stored)))
    return (
        f"its import {incoming.run_id!r} goes on from {len(stored)} imports of the memory, {names}, which would become "
        "one; begin a new memory with this input, and merge the others into it"
    )


def _clash_text(clashes: Sequence[NameClash]) -> str:
    incoming, stored = clashes[0].incoming, clashes[0].stored
    more = f" (and {len(clashes) - 1} more)" if len(clashes) > 1 else ""
    if incoming.is_alike(stored) and incoming.started_at == stored.started_at:
        differs = f"both of {stored}, but their runs differ, so that they are of two files"
    else:
        differs = f"{incoming} instead of {stored}"
    return (
        f"its campaign {incoming.run_id!r}{more} is not the campaign of that name in the memory, {differs}; "
        f"`peva-env memory merge` and `preload` with --rename add it as {clashes[0].new_name!r}"
    )


def _on_conflict(table: str, *, is_import: bool) -> str:
    """Return what becomes of a row whose key is there: it gets the newest mutable columns, an event the earliest times.

    Events that are imported again leave the memory as it is.
    """
    if table == "execution_events" and not is_import:
        return _EARLIEST
    if table not in _NEWNESS:
        return "ON CONFLICT DO NOTHING"
    key = TABLES[table].key
    # More than mutable where imported anew. A campaign keeps its start, which its longer name tells.
    values = [column for column in TABLES[table].columns if column not in (*key, "started_at")]
    changes = ", ".join(f"{column} = excluded.{column}" for column in values)
    newer = f"{_newness(table, 'excluded', values)} > {_newness(table, table, values)}"
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} WHERE {newer}"


def _newness(table: str, row: str, values: Sequence[str]) -> str:
    """Return the SQL expression that orders rows of one key; the greatest wins."""
    return f"row({', '.join([_NEWNESS[table].format(row=row), *(f'{row}.{column}' for column in values)])})"


def _total(counts: Iterable[MergeCount]) -> MergeCount:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(inserted=count.inserted, updated=count.updated, kept=count.kept)
    return MergeCount(total["inserted"], total["updated"], total["kept"])
