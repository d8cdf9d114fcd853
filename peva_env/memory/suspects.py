"""Suspect runs: valid when they were measured, but a canary or a contradiction says that the node may have been unwell.

The run stays as it was measured, since events never change. An event of the kind ``suspect``, its *mark*, is stored
beside it. Every reader sees a marked run as INVALID, with the reason of its mark first.
"""

from collections.abc import Iterable
from dataclasses import replace

import duckdb

from peva_env.contracts import EventKind, ExecutionEvent, Verdict

SUSPECT = "suspect: "
"""Start of the reason of a mark, and so of the first reason of a suspect run."""

_FIRST = -3
"""Iteration number of the mark of iteration 0; that of iteration 1 is one less. ``NOT_RUN`` has -1 and -2."""

_RUN_OF_MARK = f"{_FIRST} - iteration"

_RUN = "concat_ws('/', config_id, iteration, repetition, run_id)"

NOT_SUSPECT = f"NOT list_contains(?::VARCHAR[], {_RUN})"
"""Which events are no suspect runs; its parameter is the result of ``suspect_runs``."""

MARKS_WITHOUT_RUN = f"""
    SELECT 'execution_events', {_RUN}, 'iteration', iteration, 'a measured run'
    FROM execution_events e WHERE kind = '{EventKind.SUSPECT}' AND NOT EXISTS (
        SELECT 1 FROM execution_events r WHERE r.kind = '{EventKind.MEASURED}' AND r.config_id = e.config_id
        AND r.iteration = {_FIRST} - e.iteration AND r.repetition = e.repetition AND r.run_id = e.run_id
    ) ORDER BY 2
"""  # noqa: S608


def mark(run: ExecutionEvent, why: str, marked_at: float) -> ExecutionEvent:
    """Return the mark of a run; ``marked_at`` is in seconds since the epoch. The reason becomes ``suspect: `` + why."""
    return ExecutionEvent(
        config_key=run.config_key,
        iteration=_FIRST - run.iteration,
        verdict=Verdict.INVALID,
        run_id=run.run_id,
        repetition=run.repetition,
        kind=EventKind.SUSPECT,
        reasons=(f"{SUSPECT}{why}",),
        started_at=marked_at,
        ended_at=marked_at,
        context_hash=run.context_hash,
    )


def as_read(events: Iterable[ExecutionEvent]) -> list[ExecutionEvent]:
    """Return events with marked runs INVALID, in the same order; the marks must be among them."""
    events = list(events)
    why = {
        (event.config_key, _FIRST - event.iteration, event.repetition, event.run_id): event.reasons
        for event in events
        if event.kind is EventKind.SUSPECT
    }
    if not why:
        return events
    keys = ((event.config_key, event.iteration, event.repetition, event.run_id) for event in events)
    return [
        replace(event, verdict=Verdict.INVALID, reasons=why[key] + event.reasons, margin=None, overloaded_functions=())
        if key in why
        else event
        for event, key in zip(events, keys, strict=True)
    ]


def is_suspect(event: ExecutionEvent) -> bool:
    """Tell whether an event, as it is read, is a suspect run."""
    return event.kind is EventKind.MEASURED and event.reasons[:1] != () and event.reasons[0].startswith(SUSPECT)


def suspect_runs(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the keys of all suspect runs as texts, for ``NOT_SUSPECT``."""
    rows = connection.execute(
        f"SELECT concat_ws('/', config_id, {_RUN_OF_MARK}, repetition, run_id) FROM execution_events "  # noqa: S608
        f"WHERE kind = '{EventKind.SUSPECT}'"
    ).fetchall()
    return [key for (key,) in rows]


def relation_as_read(connection: duckdb.DuckDBPyConnection, events: str) -> str:
    """Return an SQL relation (the text after FROM) of events with marked runs INVALID; itself if there is no mark."""
    marks = f"FROM {events} WHERE kind = '{EventKind.SUSPECT}'"
    if connection.execute(f"SELECT 1 {marks} LIMIT 1").fetchone() is None:
        return events
    return (
        f"(SELECT e.* REPLACE (if(why IS NULL, verdict, '{Verdict.INVALID}') AS verdict, "  # noqa: S608
        "if(why IS NULL, reasons, list_concat(why, reasons)) AS reasons, if(why IS NULL, margin, NULL) AS margin, "
        "if(why IS NULL, overloaded_functions, []::VARCHAR[]) AS overloaded_functions) "
        f"FROM {events} e LEFT JOIN (SELECT config_id, {_RUN_OF_MARK} AS iteration, repetition, run_id, reasons AS why "
        f"{marks}) m USING (config_id, iteration, repetition, run_id))"
    )
