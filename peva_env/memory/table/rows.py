"""The rows of a table as runs, by its map; a row that cannot be right is refused with a reason."""

import math
from collections.abc import Iterable, Iterator
from unicodedata import normalize

from peva_env.config import OverloadConfig, require_function_name
from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.errors import ConfigError
from peva_env.memory.importing import (
    MOST_BYTES,
    CsvFile,
    RecordedRun,
    Recording,
    Row,
    accepted,
    function_of_counts,
    is_missing,
    latency_ms,
    number,
    offered_requests,
    rest_s,
    share_pct,
    shortened,
)
from peva_env.memory.table.mapping import FunctionMap, TableMap, Value

_MAX_LISTED = 1000
"""Characters of the list of a table's columns that a message shows."""

_MAX_INT32 = 2**31 - 1

_WHOLE_UP_TO, _WHOLE_WITHIN = 1e-9, 1e-3
"""The share and the amount by which a whole number may be missed, such as 16.1 x 60 in floating-point numbers."""

_SCALED_UP_TO = 1e-6
"""By so much a scaled success rate may be above 1: a factor such as 0.0166666667 has so few digits."""


def read_recording(file: CsvFile, table: TableMap, duration_s: float) -> Recording:
    """Return the runs of a table.

    Raises:
        ConfigError: a column of the map is not in the table, or is there twice.
    """
    if not file.header.problem:
        _require_columns(file, table)
    problem = file.problem(())
    whole = set(_whole_columns(table))
    numeric = {column for key, column in table.columns() if not key.endswith("name_column")}
    runs, refusals = accepted(
        run for _, run in file.read(problem, lambda row: _run(row, table, duration_s), whole=whole, numeric=numeric)
    )
    names = {function.name for run in runs for function in run.functions}
    names |= {function.name for function in table.functions if function.name}
    units = {function.latency.unit for function in table.functions if function.latency}
    return Recording(
        file, tuple(sorted(names)), runs, refusals=refusals, latency_unit=units.pop() if len(units) == 1 else None
    )


def require_node(table: TableMap, rules: OverloadConfig) -> None:
    """Check that the map names what the rules need of the node.

    Raises:
        ConfigError: without it every run would be INVALID.
    """
    for name, value, limit_pct in (
        ("cpu", table.node.cpu_pct, rules.cpu_overload_pct_of_capacity),
        ("ram", table.node.ram_pct, rules.ram_overload_pct),
    ):
        if value is None and limit_pct is not None:
            raise ConfigError(
                f"the map has no node.{name}_pct, so that every run would be INVALID: "
                f"name its column, or give --without {name}"
            )


def _whole_columns(table: TableMap) -> Iterator[str]:
    """Yield the columns of rates and counts, and of bytes; what a scale makes bytes, such as GiB, has decimals."""
    for function in table.functions:
        for value in (function.rate_rps, function.requests, function.failures, function.replicas):
            if value is not None and value.column is not None:
                yield value.column
    for value in (table.node.ram_bytes, *(function.ram_bytes for function in table.functions)):
        if value is not None and value.column is not None and value.scale == 1:
            yield value.column


def _require_columns(file: CsvFile, table: TableMap) -> None:
    counts = file.column_counts()
    for key, column in table.columns():
        n = counts[column]
        if n != 1:
            where = f"is there {n} times" if n else _missing(file, column)
            raise ConfigError(f"{file.path}: column {shortened(column)!r}, which the map names as {key}, {where}")


def _missing(file: CsvFile, column: str) -> str:
    there = ", ".join(filter(None, file.header.cells))
    like = file.like(column)
    if like is None:
        return f"is missing; there are {there:.{_MAX_LISTED}}"
    form = ", in another Unicode form" if normalize("NFC", like) == normalize("NFC", column) else ""
    return f"is missing, but {shortened(like)!r} is there{form}: copy that name into the map"


def _run(row: Row, table: TableMap, duration_s: float) -> RecordedRun:
    overloaded = _value(row, table.overloaded)
    if overloaded not in (None, 0, 1):
        raise ValueError(f"overloaded is {overloaded:g}, neither 0 nor 1")
    functions = sorted(_functions(row, table, duration_s), key=lambda function: function.name)
    names = [function.name for function in functions]
    if not names:
        raise ValueError("there is no function in it")
    if len(set(names)) < len(names):
        raise ValueError(f"a function is there twice: {shortened(', '.join(names))}")
    node = NodeMeasurement(
        cpu_pct=_share_pct(row, table.node.cpu_pct),
        ram_pct=_share_pct(row, table.node.ram_pct),
        ram_bytes=_whole(row, table.node.ram_bytes, is_rounded=True, most=MOST_BYTES),
    )
    return RecordedRun(
        tuple(functions), node, rest_s(_value(row, table.rest_s)), None if overloaded is None else overloaded == 1
    )


def _functions(row: Row, table: TableMap, duration_s: float) -> Iterable[FunctionMeasurement]:
    for function in table.functions:
        name, rate_rps = _name(row, function), _rate(row, function.rate_rps)
        if name is not None and rate_rps is not None:
            yield _function(row, function, name, rate_rps, duration_s)
        elif function.name_column and (name is None) != (rate_rps is None):
            name_said = shortened(row[function.name_column])
            raise ValueError(f"{shortened(function.name_column)} is {name_said!r}, its rate {rate_rps}")


def _name(row: Row, function: FunctionMap) -> str | None:
    if function.name_column is None:
        return function.name
    name = row[function.name_column]
    if is_missing(name):
        return None
    try:
        return require_function_name(name)
    except ValueError as error:
        raise ValueError(f"{shortened(function.name_column)} is {shortened(name)!r}: {error}") from None


def _rate(row: Row, value: Value) -> int | None:
    rate_rps = _whole(row, value, is_rounded=value.scale != 1)
    if rate_rps == 0 and _value(row, value):
        raise ValueError(f"{_said(row, value)}, which rounds to 0 rps")
    return rate_rps


def _function(row: Row, function: FunctionMap, name: str, rate_rps: int, duration_s: float) -> FunctionMeasurement:
    offered, succeeded, success_rate = _success(row, function, rate_rps, duration_s)
    mean_ms, p50_ms, p95_ms = _latencies(row, function, duration_s) if succeeded else (None, None, None)
    return function_of_counts(
        name,
        rate_rps,
        offered=offered,
        succeeded=succeeded,
        success_rate=success_rate,
        mean_ms=mean_ms,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        cpu_pct=_value(row, function.cpu_pct),
        ram_bytes=_whole(row, function.ram_bytes, is_rounded=True, most=MOST_BYTES),
        replicas=_whole(row, function.replicas),
    )


def _success(row: Row, function: FunctionMap, rate_rps: int, duration_s: float) -> tuple[int, int, float]:
    """Return offered requests, succeeded requests, and the success rate, which is 1 at rate 0."""
    if not rate_rps:
        for value in (function.requests, function.failures):
            if _whole(row, value):
                raise ValueError(f"{_said(row, value)} at rate 0: without a rate there are no requests")
        return 0, 0, 1.0
    if function.requests is None or function.failures is None:
        success_rate = _success_rate(row, function.success_rate)
        if success_rate is None or success_rate > 1:
            raise ValueError(f"{_said(row, function.success_rate)}: success_rate is within 0 and 1")
        offered = offered_requests(rate_rps, duration_s)
        return offered, round(success_rate * offered), success_rate
    requests, failures = _whole(row, function.requests), _whole(row, function.failures)
    if not requests or failures is None or failures > requests:
        said = f"{_said(row, function.requests)}, {_said(row, function.failures)}"
        raise ValueError(f"{said}: there are requests, and no more failures than those")
    return requests, requests - failures, (requests - failures) / requests


def _success_rate(row: Row, value: Value | None) -> float | None:
    found = _value(row, value)
    if value is None or found is None or value.scale == 1:
        return found
    return 1.0 if 1 < found <= 1 + _SCALED_UP_TO else found


def _latencies(row: Row, function: FunctionMap, duration_s: float) -> list[float | None]:
    """Return mean, median and 95th percentile in milliseconds."""
    latency = function.latency
    if latency is None:
        return [None, None, None]
    return [
        None if column is None else latency_ms(row, column, latency.unit, duration_s)
        for column in (latency.mean, latency.p50, latency.p95)
    ]


def _value(row: Row, value: Value | None) -> float | None:
    """Return a row's value in this package's unit, None if it is missing or not mapped."""
    if value is None:
        return None
    found = value.constant if value.column is None else number(row, value.column)
    scaled = None if found is None else abs(found * value.scale)  # -0.0 is 0
    if scaled == math.inf:
        raise ValueError(f"{_said(row, value)}, too large a number")
    return scaled


def _share_pct(row: Row, value: Value | None) -> float | None:
    return share_pct(_value(row, value), lambda: _said(row, value), "is its scale right?")


def _whole(row: Row, value: Value | None, *, is_rounded: bool = False, most: int = _MAX_INT32) -> int | None:
    """Return a value that is whole, up to the error of floating-point numbers, or the nearest whole number."""
    found = _value(row, value)
    if found is None:
        return None
    nearest = found if is_rounded else round(found)
    is_whole = math.isclose(found, nearest, rel_tol=_WHOLE_UP_TO) and abs(found - nearest) <= _WHOLE_WITHIN
    if found > most or not is_whole:
        raise ValueError(f"{_said(row, value)}, not a whole number up to {most}")
    return round(found)


def _said(row: Row, value: Value | None) -> str:
    """Return what a row says, for a message."""
    if value is None or value.column is None:
        return f"constant is {value and value.constant}"
    scaled = f" (times {value.scale:g})" if value.scale != 1 else ""
    return f"{shortened(value.column)} is {shortened(row[value.column])!r}{scaled}"
