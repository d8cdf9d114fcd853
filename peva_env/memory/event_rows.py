"""Events as rows of ``execution_events``, and back."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import duckdb

from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.errors import MemoryStoreError
from peva_env.memory.schema import TABLES
from peva_env.space import config_pairs

_KINDS = TABLES["execution_events"].columns

EVENT_COLUMNS = tuple(_KINDS)

MAY_BE_MISSING = (
    *("margin", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "generator_cpu_pct"),
    *("function_cpu_pct", "function_ram_bytes", "function_power_uw", "replicas"),
    *("cpu_pct", "ram_bytes", "ram_pct", "power_uw"),
    *("idle_cpu_pct", "idle_ram_bytes", "idle_ram_pct", "idle_power_uw"),
)
"""The columns of what may not have been measured, in a list not of every function."""

_FUNCTION_COLUMNS = {
    "name": "function_names",
    "rate_rps": "rates_rps",
    "cpu_pct": "function_cpu_pct",
    "ram_bytes": "function_ram_bytes",
    "power_uw": "function_power_uw",
}
"""Columns of a function's values whose name differs from the field's."""

BESIDE_FAILED = ("backlog", "held_up", "crowded_out")
"""Counts of requests without a column in the strict schema: they are stored beside the counts of ``failed``."""

_FUNCTION_FIELDS = {
    field.name: _FUNCTION_COLUMNS.get(field.name, field.name)
    for field in fields(FunctionMeasurement)
    if field.name not in BESIDE_FAILED
}
_COUNTS = ("offered", "sent", "dropped", "succeeded")
_NODE_FIELDS = tuple(field.name for field in fields(NodeMeasurement))
_PLAIN_FIELDS = tuple(
    field.name
    for field in fields(ExecutionEvent)
    if field.name
    not in ("config_key", "kind", "verdict", "reasons", "functions", "overloaded_functions", "node", "raw_summary")
)

_ROWS_AT_A_TIME = 1000

_TIMES = ("started_at", "ended_at", "duration_s", "cooldown_s", "cost_s")
"""Seconds that every event has."""


def event_record(event: ExecutionEvent) -> dict[str, Any]:
    """Return an event as a mapping from column to plain value; a measured value that is no finite number is missing.

    Raises:
        MemoryStoreError: its functions are not those of its configuration, in the same order; or a number that every
            event has is not finite.
    """
    names, rates = event.config_key
    measured = [(function.name, function.rate_rps) for function in event.functions]
    if measured and measured != event.config_pairs:
        raise MemoryStoreError(f"event {event.event_key}: functions {measured} are not those of {event.config_pairs}")
    record: dict[str, Any] = {
        column: [getattr(function, field) for function in event.functions] for field, column in _FUNCTION_FIELDS.items()
    }
    record |= {field: getattr(event.node, field) for field in _NODE_FIELDS}
    record |= {field: getattr(event, field) for field in _PLAIN_FIELDS}
    for column, value in record.items():
        if _KINDS[column].startswith("DOUBLE"):
            record[column] = _finite(event, column, value)
    return record | {
        "config_id": event.config_id,
        "kind": str(event.kind),
        "verdict": str(event.verdict),
        "reasons": list(event.reasons),
        "function_names": list(names),
        "rates_rps": list(rates),
        "failed": [
            dict(function.failed) | {name: count for name in BESIDE_FAILED if (count := getattr(function, name))}
            for function in event.functions
        ],
        "overloaded_functions": list(event.overloaded_functions),
    }


def _finite(event: ExecutionEvent, column: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(event, column, one) for one in value]
    if value is None or math.isfinite(value):
        return value
    if column in MAY_BE_MISSING:
        return None
    raise MemoryStoreError(f"event {event.event_key}: {column} is {value}, not a finite number")


def event_from_record(record: Mapping[str, Any]) -> ExecutionEvent:
    """Return the event of a row; the inverse of ``event_record``, without the raw summary, which has its own table.

    Raises:
        MemoryStoreError: the row is not one that a memory writes.
    """
    try:
        return _event(record)
    except (IndexError, TypeError, ValueError) as error:
        key = record["config_id"], record["iteration"], record["repetition"], record["run_id"]
        raise MemoryStoreError(f"event {key} cannot be read: it is not what a memory writes ({error})") from error


def _event(record: Mapping[str, Any]) -> ExecutionEvent:
    missing = next((name for name in _TIMES if record[name] is None), None)
    if missing:
        raise ValueError(f"{missing} is missing")
    if None in record["reasons"]:
        raise ValueError("a reason is missing")
    config_pairs((record["function_names"], record["rates_rps"]))  # as many rates as names
    return ExecutionEvent(
        config_key=(tuple(record["function_names"]), tuple(record["rates_rps"])),
        kind=EventKind(record["kind"]),
        verdict=Verdict(record["verdict"]),
        reasons=tuple(record["reasons"]),
        functions=tuple(_function(record, i) for i in range(len(record["offered"]))),
        overloaded_functions=tuple(record["overloaded_functions"]),
        node=NodeMeasurement(**{field: record[field] for field in _NODE_FIELDS}),
        **{field: record[field] for field in _PLAIN_FIELDS},
    )


def _function(record: Mapping[str, Any], i: int) -> FunctionMeasurement:
    values = {field: record[column][i] for field, column in _FUNCTION_FIELDS.items()}
    if min(values[count] for count in _COUNTS) < 0 or not math.isfinite(values["success_rate"]):
        raise ValueError("a count is negative, or a success rate no number")
    failed = dict(values.pop("failed"))
    beside = {name: failed.pop(name) for name in BESIDE_FAILED if name in failed}
    return FunctionMeasurement(**values, failed=failed, **beside)


def read_events(connection: duckdb.DuckDBPyConnection, condition: str, parameters: list[Any]) -> list[ExecutionEvent]:
    """Return the events that meet a condition, in the order of their measurement."""
    rows = connection.execute(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM execution_events WHERE {condition} "  # noqa: S608
        "ORDER BY started_at, config_id, iteration",
        parameters,
    ).fetchall()
    return [event_from_record(dict(zip(EVENT_COLUMNS, row, strict=True))) for row in rows]


def stream_events(
    connection: duckdb.DuckDBPyConnection, condition: str, parameters: Sequence[Any] = ()
) -> Iterator[ExecutionEvent]:
    """Yield the events that meet a condition, in any order, without holding all of them at once."""
    rows = connection.execute(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM execution_events WHERE {condition}",  # noqa: S608
        list(parameters),
    )
    while batch := rows.fetchmany(_ROWS_AT_A_TIME):
        for row in batch:
            yield event_from_record(dict(zip(EVENT_COLUMNS, row, strict=True)))


def event_row(event: ExecutionEvent) -> list[Any]:
    """Return an event's values in the order of the table's columns, as DuckDB takes them."""
    record = event_record(event)
    # A map needs its keys and values as two lists: DuckDB reads a plain dict as a struct with the union of all keys.
    record["failed"] = [{"key": list(kinds), "value": list(kinds.values())} for kinds in record["failed"]]
    return [record[column] for column in EVENT_COLUMNS]
