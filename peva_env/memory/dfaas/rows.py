"""Parsing the rows of ``results.csv`` and ``skipped.csv`` of DFaaS and PEVA-FAAS, or refusing them with a reason.

For each function X of a plan there are the columns ``function_X`` (its name, empty where it was absent) and
``rate_function_X``, and in results ``success_rate_function_X`` and more. The order of columns does not matter. Unknown
columns are ignored; but a file with a function's columns written otherwise, such as ``Function X`` and
``x.rate.function.X``, is refused. The files lack the unit of latencies and the number of cores over which CPU
percentages are summed, and those of 2023-06 the size of the RAM: ``Units`` holds them. Those files have neither
latencies nor power, and a row at rate 0 for each function that was not loaded.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from unicodedata import normalize

from peva_env.config import OverloadConfig, require_function_name
from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.errors import ConfigError
from peva_env.memory.importing import (
    CsvFile,
    LatencyUnit,
    Rates,
    RecordedRun,
    Recording,
    Refusal,
    Row,
    accepted,
    function_of_counts,
    integer,
    is_missing,
    kind_in_name,
    latency_ms,
    number,
    offered_requests,
    plain_column,
    rest_s,
    rounded,
    share_pct,
    shortened,
)

PIECE = "one of the pieces in which DFaaS wrote the configuration of a later line, and not one that was skipped"
REPEATED = "the configuration of an earlier line once more"

_FUNCTION, _RATE, _LATENCY = "function_", "rate_function_", "medium_latency_function_"
_NEEDED = ("function", "rate_function", "success_rate_function")
_NAME_IN = {
    column: re.compile(rf"{r'[\W_]*'.join((*column.replace('_', ''), ''))}(.*[^\W_])", re.IGNORECASE | re.DOTALL)
    for column in _NEEDED
}
"""The function's name in a column that is like one that a function needs."""

_OF_FUNCTION = (
    "cpu_usage_function",
    "ram_usage_function",
    "power_usage_function",
    "replica",
    "medium_latency_function",
)
_OF_NODE = (
    *("cpu_usage_node", "ram_usage_node", "ram_usage_node_percentage", "power_usage_node"),
    *("cpu_usage_idle_node", "ram_usage_idle_node", "ram_usage_idle_node_percentage", "power_usage_idle_node"),
    *("rest_seconds", "overloaded_node"),
)
"""Columns that a file may lack."""

_OF_RESULTS = tuple(f"{column}_" for column in (*_NEEDED[2:], *_OF_FUNCTION))

_WHOLE_OF_FUNCTION = ("rate_function", "replica", "ram_usage_function")
_WHOLE_OF_NODE = ("ram_usage_node", "ram_usage_idle_node")

_RAM_BYTES, _RAM_PCT = "ram_usage_node", "ram_usage_node_percentage"


@dataclass(frozen=True, slots=True)
class Units:
    """What a recording lacks: the unit of latencies, and the node's size; CPU runs from 0 to 100 x ``cores``.

    ``latency`` and ``ram_bytes`` are None where they are not known.
    """

    latency: LatencyUnit | None
    cores: int
    duration_s: float
    ram_bytes: float | None = None


def read_recording(file: CsvFile, units: Units, rules: OverloadConfig) -> Recording:
    """Return the runs or the skipped configurations of a file.

    Raises:
        ConfigError: it has latencies, but their unit is not known.
    """
    columns = file.header.cells
    needed = tuple(f"{column}_" for column in _NEEDED)  # any of them names a function, so that the others are missed
    names = tuple(sorted({column.partition(_FUNCTION)[2] for column in columns if column.startswith(needed)}))
    if _lists_skips(file):
        skips, refusals = accepted(_skips(file, names))
        return Recording(file, names, skips=skips, refusals=refusals, is_results=False)
    has_latencies = any(column.startswith(_LATENCY) for column in columns)
    if has_latencies and units.latency is None:
        raise ConfigError(f"{file.path} has latencies: give --latency-unit ns (DFaaS) or ms (PEVA-FAAS)")
    problem = _problem(file, names, _NEEDED)
    problem = problem or _node_problem(file, units, rules)
    whole = [*(f"{column}_{name}" for name in names for column in _WHOLE_OF_FUNCTION), *_WHOLE_OF_NODE]
    numeric = [*(f"{column}_{name}" for name in names for column in (*_NEEDED[1:], *_OF_FUNCTION)), *_OF_NODE]
    runs, refusals = accepted(
        run for _, run in file.read(problem, lambda row: _run(row, names, units), whole=whole, numeric=numeric)
    )
    unit = units.latency if has_latencies else None
    return Recording(file, names, runs, refusals=refusals, latency_unit=unit)


def _lists_skips(file: CsvFile) -> bool:
    """Tell whether a file lists skipped configurations: it has no columns of results, and is not named ``results``.

    If it is not named ``skipped`` either, any other column may be one of results whose name is damaged.
    """
    columns, kind = file.header.cells, kind_in_name(file)
    if kind == "skipped":
        return not any(column in _OF_NODE or column.startswith(_OF_RESULTS) for column in columns)
    return kind is None and all(column.startswith((_FUNCTION, _RATE)) for column in columns)


def _problem(file: CsvFile, functions: Sequence[str], per_function: Sequence[str]) -> str | None:
    damage = _miswritten(file.header.cells, functions) or file.problem(
        (f"{column}_{name}" for name in functions for column in per_function),
        optional=(*_OF_NODE, *(f"{column}_{name}" for name in functions for column in _OF_FUNCTION)),
    )
    if damage or not functions:
        return damage or "there is no column function_X"
    for name in functions:
        try:
            require_function_name(name)
        except ValueError as error:
            return f"column {shortened(f'function_{name}')} names no function: a name {error}"
    return None


def _miswritten(columns: Sequence[str], functions: Sequence[str]) -> str | None:
    """Return which column is one of a function, but for what is no letter or digit, or upper case; and what to write.

    A function of the file has any column that is like one of its own. Two columns that are like those of another
    function are of that one. So are its name and its rate with anything before them.
    """
    known = {f"{column}_{name}" for name in functions for column in (*_NEEDED, *_OF_FUNCTION)}
    by_plain = {plain_column(column): column for column in known}
    names = set(map(plain_column, functions))
    others = [column for column in columns if column not in known]
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for column in others:
        for needed, key in _like_needed(column):
            found[key].add(needed)
    for column in others:
        right = by_plain.get(plain_column(column))
        for needed, (before, name) in _like_needed(column):
            are_needed = found[before, name]
            is_whole = name not in names and are_needed.issuperset(("function", "rate_function"))
            if not right and (is_whole if before else len(are_needed) > 1):
                written = _NAME_IN[needed].search(normalize("NFKC", column))
                right = f"{needed}_{written[1] if written else name}"
        if right:
            return f"column {shortened(column)!r} is one of a function, but not written so: write {shortened(right)!r}"
    return None


def _like_needed(column: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each column that a function needs and this one is like, with what stands before it, and the function."""
    plain = plain_column(column)
    for needed in _NEEDED:
        before, is_there, name = plain.partition(plain_column(needed))
        if is_there and name:
            yield needed, (before, name)


def _node_problem(file: CsvFile, units: Units, rules: OverloadConfig) -> str | None:
    """Return which column of the node is missing that the rules need, and how to do without it."""
    if rules.cpu_overload_pct_of_capacity is not None and (problem := file.problem(["cpu_usage_node"])):
        return problem
    if rules.ram_overload_pct is None or _RAM_PCT in file.header.cells:
        return None
    if units.ram_bytes is None:
        return f"{file.missing(_RAM_PCT)}; --ram-gib N computes it from {_RAM_BYTES}, --without ram needs none"
    return file.problem([_RAM_BYTES])


def _skips(file: CsvFile, functions: Sequence[str]) -> list[Rates | Refusal]:
    """Return the skipped configuration of each line, or its refusal.

    DFaaS wrote a configuration of three functions as three lines: its first function, its first two, all three.
    PEVA-FAAS writes whole configurations, also of fewer functions than the plan has.
    """
    problem = _problem(file, functions, ("function", "rate_function"))
    whole_numbers = [f"{_RATE}{name}" for name in functions]
    lines = list(file.read(problem, lambda row: _rates(row, functions), whole=whole_numbers, numeric=whole_numbers))
    whole = len(functions) if _in_pieces([skip for _, skip in lines], len(functions)) else 1
    seen: set[tuple[tuple[str, int], ...]] = set()
    return [_once(file, line, skip, whole, seen) for line, skip in lines]


def _once(
    file: CsvFile, line: int, skip: Rates | Refusal, whole: int, seen: set[tuple[tuple[str, int], ...]]
) -> Rates | Refusal:
    """Refuse a configuration with fewer than ``whole`` functions, or one that was seen before."""
    if isinstance(skip, Refusal):
        return skip
    if len(skip) < whole:
        return Refusal(file.path, line, PIECE)
    config = tuple(skip.items())
    if config in seen:
        return Refusal(file.path, line, REPEATED)
    seen.add(config)
    return skip


def _in_pieces(skips: Sequence[Rates | Refusal], n_functions: int) -> bool:
    """Tell whether every configuration is preceded by its pieces; neighbours of refused lines may lack them."""
    pairs = [(a, b) for a, b in pairwise(skips) if isinstance(a, dict) and isinstance(b, dict)]
    grows = [len(b) == len(a) + 1 and a.items() <= b.items() for a, b in pairs]
    begins_anew = (len(a) == n_functions and len(b) == 1 for a, b in pairs)
    return any(grows) and all(map(max, grows, begins_anew))


def _rates(row: Row, functions: Sequence[str]) -> Rates:
    rates = {}
    for name in functions:
        said, rate = row[f"function_{name}"], integer(row, f"rate_function_{name}")
        is_absent = said != name and is_missing(said)
        if said != name and not is_absent:
            raise ValueError(f"function_{name} is {shortened(said)!r}, an unknown function")
        if is_absent != (rate is None):
            rate_said = shortened(row[f"rate_function_{name}"])
            raise ValueError(f"rate_function_{name} is {rate_said!r}, function_{name} {shortened(said)!r}")
        if rate is not None:
            rates[name] = rate
    if not rates:
        raise ValueError("there is no function in it")
    return rates


def _run(row: Row, functions: Sequence[str], units: Units) -> RecordedRun:
    rates = _rates(row, functions)
    overloaded = number(row, "overloaded_node")
    if overloaded not in (None, 0, 1):
        raise ValueError(f"overloaded_node is {shortened(row['overloaded_node'])}, neither 0 nor 1")
    return RecordedRun(
        tuple(_function(row, name, rate, units) for name, rate in rates.items()),
        _node(row, units),
        rest_s(number(row, "rest_seconds")),
        None if overloaded is None else overloaded == 1,
    )


def _function(row: Row, name: str, rate_rps: int, units: Units) -> FunctionMeasurement:
    offered = offered_requests(rate_rps, units.duration_s)
    success_rate = _success_rate(row, name) if rate_rps else 1.0
    succeeded = round(success_rate * offered)
    cpu_pct = number(row, f"cpu_usage_function_{name}")
    return function_of_counts(
        name,
        rate_rps,
        offered=offered,
        succeeded=succeeded,
        success_rate=success_rate,
        mean_ms=_mean_ms(row, name, units) if succeeded else None,
        cpu_pct=None if cpu_pct is None else cpu_pct / units.cores,
        ram_bytes=rounded(row, f"ram_usage_function_{name}"),
        power_uw=number(row, f"power_usage_function_{name}"),
        replicas=integer(row, f"replica_{name}"),
    )


def _success_rate(row: Row, name: str) -> float:
    column = f"success_rate_function_{name}"
    success_rate = number(row, column)
    if success_rate is None or success_rate > 1:
        raise ValueError(f"{column} is {shortened(row[column])!r}, not within 0 and 1")
    return success_rate


def _mean_ms(row: Row, name: str, units: Units) -> float | None:
    if units.latency is None:
        return None
    return latency_ms(row, f"{_LATENCY}{name}", units.latency, units.duration_s)


def _node(row: Row, units: Units) -> NodeMeasurement:
    return NodeMeasurement(
        cpu_pct=_cpu_pct(row, "cpu_usage_node", units),
        ram_bytes=rounded(row, _RAM_BYTES),
        ram_pct=_ram_pct(row, "", units),
        power_uw=number(row, "power_usage_node"),
        idle_cpu_pct=_cpu_pct(row, "cpu_usage_idle_node", units),
        idle_ram_bytes=rounded(row, "ram_usage_idle_node"),
        idle_ram_pct=_ram_pct(row, "_idle", units),
        idle_power_uw=number(row, "power_usage_idle_node"),
    )


def _cpu_pct(row: Row, column: str, units: Units) -> float | None:
    summed_pct = number(row, column)
    found_pct = None if summed_pct is None else summed_pct / units.cores
    return share_pct(found_pct, lambda: f"{column} is {shortened(row[column])}", "is --cores right?")


def _ram_pct(row: Row, idle: str, units: Units) -> float | None:
    """Return the recorded percentage, or compute it from the bytes where there is no such column."""
    column = f"ram_usage{idle}_node"
    if (share := f"{column}_percentage") in row or units.ram_bytes is None:
        return share_pct(number(row, share), lambda: f"{share} is {shortened(row[share])}", "is it in percent?")
    used_bytes = number(row, column)
    if used_bytes is None:
        return None
    if used_bytes > units.ram_bytes:
        raise ValueError(f"{column} is {shortened(row[column])}, more than the node's {units.ram_bytes / 2**30:g} GiB")
    return 100 * used_bytes / units.ram_bytes
