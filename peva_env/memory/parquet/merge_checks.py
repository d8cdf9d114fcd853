"""Checks of rows that are merged: each is one that a memory writes, and belongs to the rows that are there."""

from collections.abc import Iterator, Mapping
from itertools import chain

import duckdb

from peva_env.errors import MemoryStoreError
from peva_env.memory.raw_summaries import misfits
from peva_env.memory.schema import TABLES
from peva_env.memory.verify_queries import RowCheck, event_checks, failing, of_session, value_checks

_LINKS = (
    ("execution_events", "config_catalog", "config_id"),
    ("policy_updates", "run_sessions", "run_id"),
    ("config_catalog", "execution_events", "config_id"),
)
"""A table, the table that has a row for each of its rows, and the column that both share. An event that was stored
without a campaign has no session."""

_OF_CAMPAIGNS = ("run_sessions", "execution_events")

_FILLED = {
    "run_sessions": ("context_hash", "context_json"),
    "execution_events": ("kind", "verdict", "context_hash"),
}
"""Columns that every reader relies on, and that every row has which peva-env has written."""

_ROW_NAMES = {
    "memory_schema_meta": "memory",
    "run_sessions": "campaign",
    "execution_events": "event",
    "policy_updates": "update",
}
"""The tables of which single values are checked, and how messages call their rows."""


class MergeChecks:
    """The checks of one input; its rows are an SQL relation (the text after FROM) for each table.

    Args:
        connection: of the memory, in the transaction of the merge.
        problem: the beginning of error messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, problem: str) -> None:
        self._connection, self._problem = connection, problem

    def before(self, sources: Mapping[str, str]) -> None:
        """Check rows for themselves, before they are inserted.

        Raises:
            MemoryStoreError: a row lacks a value that each row has, or is none that a memory writes.
        """
        self._check_filled(sources)
        self._check_values(sources)

    def after(self, sources: Mapping[str, str]) -> None:
        """Check what rows belong to, after they were inserted.

        Raises:
            MemoryStoreError: a row lacks a row of another table, an event has the ``run_id`` of another campaign, or
                raw summaries do not fit their events.
        """
        self._check_links(sources)
        self._check_campaigns(sources)
        if "k6_raw_summaries" in sources:
            self._check_summaries(sources["k6_raw_summaries"])

    def _check_filled(self, sources: Mapping[str, str]) -> None:
        """Raise ``MemoryStoreError`` if a row lacks what every reader relies on."""
        for table in _FILLED.keys() & sources.keys():
            counts = ", ".join(f"count_if({column} IS NULL)" for column in _FILLED[table])
            (found,) = self._connection.execute(f"SELECT {counts} FROM {sources[table]}").fetchall()  # noqa: S608
            for column, n_empty in zip(_FILLED[table], found, strict=True):
                if n_empty:
                    raise MemoryStoreError(
                        f"{self._problem}: {n_empty:,} rows of its {table} have no {column}; it is damaged, or not "
                        "written by peva-env: export that memory again"
                    )

    def _check_values(self, sources: Mapping[str, str]) -> None:
        """Raise ``MemoryStoreError`` if a row is none that a memory writes."""
        checks = chain.from_iterable(_checks(*one) for one in sources.items())
        for query in failing(self._connection, checks):
            wrong = self._connection.execute(f"FROM ({query}) LIMIT 1").fetchone()
            if wrong:
                table, key, column, stored, expected = wrong
                raise MemoryStoreError(
                    f"{self._problem}: {column} of {_ROW_NAMES[table]} {key} is {stored} instead of {expected}; "
                    f"{table} is damaged, or not written by peva-env: export that memory again"
                )

    def _check_links(self, sources: Mapping[str, str]) -> None:
        """Raise ``MemoryStoreError`` if a row lacks a row of another table that it belongs to."""
        for table, parent, column in _LINKS:
            if table not in sources:
                continue
            source = sources[table]
            orphan = self._connection.execute(
                f"SELECT {column} FROM {source} ANTI JOIN {parent} USING ({column}) ORDER BY 1 LIMIT 1"  # noqa: S608
            ).fetchone()
            if orphan:
                raise MemoryStoreError(
                    f"{self._problem}: {column} {orphan[0]!r} of its {table} has no row in {parent}; its files are not "
                    "of one export: export that memory again"
                )

    def _check_campaigns(self, sources: Mapping[str, str]) -> None:
        """Raise ``MemoryStoreError`` if an event has the ``run_id`` of another campaign.

        That is seen only now: without the row of its campaign an event cannot be told from those of a namesake.
        """
        names = [f"SELECT run_id FROM {sources[table]}" for table in _OF_CAMPAIGNS if table in sources]  # noqa: S608
        if not names:
            return
        wrong = self._connection.execute(
            f"WITH events AS (FROM execution_events SEMI JOIN ({' UNION ALL '.join(names)}) USING (run_id)) "
            f"{' UNION ALL '.join(of_session(column, 'events') for column in ('context_hash', 'repetition'))} LIMIT 1"
        ).fetchone()
        if wrong:
            _, key, column, stored, expected = wrong
            raise MemoryStoreError(
                f"{self._problem}: event {key} is of another campaign than its run_id, with {column} {stored} instead "
                f"of {expected}; its files are not of one export, or a campaign's row was lost: `peva-env memory "
                "verify` tells in which memory"
            )

    def _check_summaries(self, source: str) -> None:
        """Raise ``MemoryStoreError`` if a raw summary has no event, or is of another run than its event."""
        key = ", ".join(TABLES["k6_raw_summaries"].key)
        orphan = self._connection.execute(
            f"SELECT concat_ws('/', {key}) FROM {source} ANTI JOIN execution_events USING ({key}) ORDER BY 1 LIMIT 1"  # noqa: S608
        ).fetchone()
        if orphan:
            raise MemoryStoreError(
                f"{self._problem}: raw summary {orphan[0]} has no event in the memory; merge the core tables first"
            )
        misfit = self._connection.execute(f"{misfits(source)} LIMIT 1").fetchone()
        if misfit:
            key, stored, expected = misfit
            raise MemoryStoreError(
                f"{self._problem}: raw summary {key} is of another run than its event, {stored} instead of {expected}; "
                "merge each debug folder with the core folder of the same memory"
            )


def _checks(table: str, source: str) -> Iterator[RowCheck]:
    """Return the checks for values of a table that no memory writes."""
    if table == "execution_events":
        return event_checks(source)
    return value_checks(table, source) if table in _ROW_NAMES else iter(())
