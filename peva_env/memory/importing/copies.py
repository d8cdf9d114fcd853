"""Copies: files whose runs the memory has already, under another file's name."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from peva_env.contracts import EventKind
from peva_env.errors import MemoryStoreError
from peva_env.memory.contexts import as_present, earlier_hashes
from peva_env.memory.database import Database
from peva_env.memory.importing.campaign import RECORDED_AS
from peva_env.memory.importing.staging import Staging
from peva_env.memory.schema import IMPORTED, TABLES

_NOT_MEASURED = {
    *TABLES["execution_events"].key,
    *("function_names", "rates_rps", "context_hash"),
    *("verdict", "reasons", "margin", "overloaded_functions"),
    *("started_at", "ended_at"),
}
"""The keys, what follows from them, what the rules say, and the times, which move when a file grows."""

MEASURED = tuple(column for column in TABLES["execution_events"].columns if column not in _NOT_MEASURED)
"""Columns of an event that a line determines, whatever its file is called."""

_IMPORTS = f"(SELECT run_id FROM run_sessions WHERE agent = '{IMPORTED}')"  # noqa: S608
_LATENCIES = ("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms")
_UNIT_EXPONENTS = (3, 6, 9)
"""Two units of latencies differ by a factor of ten to the power of one of these."""


class Copy(NamedTuple):
    """A file that was not imported, for its content is there already: another file, or a campaign of the memory."""

    path: Path
    original: str


def content(event: str, *, without: Collection[str] = ()) -> str:
    """Return the SQL expression of what a line said: its measured columns, and a recorded verdict that differed.

    Args:
        event: alias of a table of events.
        without: measured columns that are left out.
    """
    columns = ", ".join(f"{event}.{column}" for column in MEASURED if column not in without)
    return f"row({columns}, list_filter({event}.reasons, lambda reason: starts_with(reason, '{RECORDED_AS}')))"


def drop_copies(database: Database, sources: Mapping[str, str], staging: Staging) -> tuple[list[Copy], int]:
    """Drop the staged results that are the results of another imported campaign or of another staged file, all of them.

    Skipped configurations are dropped with the results of their campaign, if they are the same as well. A file that the
    memory has under its own name is no copy. Under that name there may be another file, too: a merge can have renamed
    the campaign.

    Returns:
        The files that are not imported, and the number of their events.

    Raises:
        MemoryStoreError: a file differs from a campaign of the memory in the unit of its latencies only.
    """
    events = sources["execution_events"]
    new, old = _compared(database, events)
    is_first = database.connection.execute(f"SELECT 1 FROM {old} LIMIT 1").fetchone() is None  # noqa: S608
    if is_first and len({run_id for run_id, _ in staging.files}) == 1:
        return [], 0  # there is nothing to compare with
    same = database.connection.execute(_same_parts(new, old)).fetchall()
    known = {(run_id, kind) for run_id, kind, original, _ in same if original == run_id}
    copied = [part for part in same if part[:2] not in known]
    originals = {part[:2]: part[2:] for part in reversed(copied) if part[1] == EventKind.MEASURED}
    for run_id, kind, *original in copied:
        if originals.get((run_id, EventKind.MEASURED)) == tuple(original):
            originals[run_id, kind] = tuple(original)
    _check_units(database, new, old, staging)
    n_events = sum(
        _changed(database, f"DELETE FROM {events} WHERE run_id = ? AND kind = ?", part)  # noqa: S608
        for part in originals
    )
    _changed(
        database,
        f"DELETE FROM {sources['run_sessions']} WHERE run_id NOT IN (SELECT run_id FROM {events})",  # noqa: S608
        (),
    )
    copies = [
        Copy(staging.files[part], f"campaign {original}" if is_stored else str(staging.files[original, part[1]]))
        for part, (original, is_stored) in originals.items()
    ]
    return copies, n_events


def _compared(database: Database, events: str) -> tuple[str, str]:
    """Return the SQL relations of staged events, and of those that were imported before in their contexts.

    Both have present context hashes: an earlier release may have imported some.
    """
    present_hash = as_present(earlier_hashes(database.connection))
    new, imported = (
        f"(SELECT * REPLACE ({present_hash} AS context_hash) FROM {table})"  # noqa: S608
        for table in (events, f"execution_events SEMI JOIN {_IMPORTS} USING (run_id)")
    )
    return new, f"(FROM {imported} SEMI JOIN {new} USING (context_hash))"


def _same_parts(new: str, old: str) -> str:
    """Return the query of staged results and skipped configurations that another campaign has line by line.

    It tells each with that campaign, and whether the memory has it, which comes first, or another staged file.
    """
    lines = (
        "SELECT *, count(*) OVER (PARTITION BY run_id, kind) AS n_lines FROM (SELECT run_id, kind, "  # noqa: S608
        f"context_hash, config_id, {content('event')} AS content, count(*) AS n_alike FROM {{events}} event "
        "GROUP BY ALL)"
    )
    return f"""
        WITH new AS ({lines.format(events=new)}), old AS (
            SELECT *, true AS is_stored FROM ({lines.format(events=old)})
            UNION ALL SELECT *, false AS is_stored FROM new
        )
        SELECT new.run_id, kind, old.run_id, is_stored
        FROM new JOIN old USING (kind, context_hash, config_id, n_alike)
        WHERE new.content IS NOT DISTINCT FROM old.content AND new.n_lines = old.n_lines
            AND (is_stored OR old.run_id < new.run_id)
        GROUP BY ALL HAVING count(*) = any_value(new.n_lines) ORDER BY 1, 2, 4 DESC, 3
    """  # noqa: S608


def _check_units(database: Database, new_events: str, old_events: str, staging: Staging) -> None:
    """Raise ``MemoryStoreError`` if all latencies of staged results are those of a campaign times a factor of units."""
    runs = (
        "(SELECT *, count(*) OVER (PARTITION BY run_id) AS n_runs FROM {events} "  # noqa: S608
        f"WHERE kind = '{EventKind.MEASURED}')"
    )
    new, old = (content(side, without=_LATENCIES) for side in ("new", "old"))
    old_ms, new_ms = (f"flatten([{', '.join(f'{side}.{name}' for name in _LATENCIES)}])" for side in ("old", "new"))
    found = database.connection.execute(
        f"""
        SELECT new.run_id, old.run_id, list_distinct(flatten(list(list_transform(
            list_zip({old_ms}, {new_ms}),
            lambda ms: CASE WHEN ms[1] > 0 AND ms[2] > 0 THEN round(abs(log10(ms[1] / ms[2])), 9)
                WHEN ms[1] IS DISTINCT FROM ms[2] THEN 0 END
        )))) AS exponents
        FROM {runs.format(events=new_events)} new
        JOIN {runs.format(events=old_events)} old
            USING (config_id, iteration, repetition, context_hash, n_runs)
        WHERE new.run_id <> old.run_id AND {new} IS NOT DISTINCT FROM {old}
        GROUP BY new.run_id, old.run_id HAVING count(*) = any_value(n_runs) ORDER BY ALL
        """  # noqa: S608
    ).fetchall()
    for run_id, original, exponents in found:
        if len(exponents) == 1 and exponents[0] in _UNIT_EXPONENTS:
            raise MemoryStoreError(
                f"{staging.files[run_id, EventKind.MEASURED]}: its runs are those of campaign {original!r} of memory "
                f"{database.path}, but in another unit of latencies; give the same unit as then, or import into "
                "another memory"
            )


def _changed(database: Database, statement: str, parameters: Iterable[str]) -> int:
    """Execute a statement; return the number of its rows."""
    row = database.connection.execute(statement, list(parameters)).fetchone()
    return int(row[0]) if row else 0
