"""Parsing the rows of ``results.csv`` and ``skipped.csv`` of DFaaS and PEVA-FAAS, or refusing them with a reason.

For each function X of a plan there are the columns ``function_X`` (its name, empty where it was absent) and
``rate_function_X``, and in results ``success_rate_function_X`` and more. The order of columns does not matter; unknown
columns are ignored. The files lack the unit of latencies and the number of cores over which CPU percentages are summed:
``Units`` holds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.memory.dfaas.csv_file import CsvFile, Refusal, Row, integer, number, problem_of, read_lines, rounded

type LatencyUnit = Literal["ns", "ms"]
type Rates = dict[str, int]
"""The functions of a configuration, sorted, with their rates in requests per second."""

PIECE = "one of the pieces in which DFaaS wrote the configuration of a later line, and not one that was skipped"
REPEATED = "the configuration of an earlier line once more"

_NODE_COLUMNS = ("cpu_usage_node", "ram_usage_node_percentage")
_PER_MS = {"ns": 1e6, "ms": 1.0}
_SHORTEST_MS, _LONGEST_RUNS = 1e-3, 10
"""A mean latency under 1 us, or over 10 times the duration of a run, was recorded in another unit."""


@dataclass(frozen=True, slots=True)
class Units:
    """The units that a recording lacks; its CPU percentages of the node run from 0 to 100 x ``cores``."""

    latency: LatencyUnit
    cores: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A row of results, in this package's units; ``overloaded`` is as recorded, None where nothing is."""

    functions: tuple[FunctionMeasurement, ...]
    node: NodeMeasurement
    rest_s: float
    overloaded: bool | None


def read_runs(file: CsvFile, units: Units) -> list[RecordedRun | Refusal]:
    """Return the run of each line of results, or its refusal."""
    problem = problem_of(file, ("function", "rate_function", "success_rate_function"), _NODE_COLUMNS)
    return [run for _, run in read_lines(file, problem, lambda row: _run(row, file.functions, units))]


def read_skips(file: CsvFile) -> list[Rates | Refusal]:
    """Return the skipped configuration of each line, or its refusal.

    DFaaS wrote a configuration of three functions as three lines: its first function, its first two, all three.
    PEVA-FAAS writes whole configurations, also of fewer functions than the plan has.
    """
    problem = problem_of(file, ("function", "rate_function"))
    lines = list(read_lines(file, problem, lambda row: _rates(row, file.functions)))
    whole = len(file.functions) if _in_pieces([skip for _, skip in lines], len(file.functions)) else 1
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
        if said not in ("", name):
            raise ValueError(f"function_{name} is {said!r}, an unknown function")
        if (said == "") != (rate is None):
            raise ValueError(f"rate_function_{name} is {row[f'rate_function_{name}']!r}, function_{name} {said!r}")
        if rate is not None:
            rates[name] = rate
    if not rates:
        raise ValueError("there is no function in it")
    return rates


def _run(row: Row, functions: Sequence[str], units: Units) -> RecordedRun:
    rates = _rates(row, functions)
    overloaded = number(row, "overloaded_node")
    if overloaded not in (None, 0, 1):
        raise ValueError(f"overloaded_node is {row['overloaded_node']}, neither 0 nor 1")
    return RecordedRun(
        tuple(_function(row, name, rate, units) for name, rate in rates.items()),
        _node(row, units),
        number(row, "rest_seconds") or 0.0,
        None if overloaded is None else overloaded == 1,
    )


def _function(row: Row, name: str, rate_rps: int, units: Units) -> FunctionMeasurement:
    offered = round(rate_rps * units.duration_s)
    success_rate = _success_rate(row, name) if offered else 1.0
    succeeded = round(success_rate * offered)
    cpu_pct = number(row, f"cpu_usage_function_{name}")
    return FunctionMeasurement(
        name=name,
        rate_rps=rate_rps,
        offered=offered,
        sent=offered,
        dropped=0,
        succeeded=succeeded,
        failed={"other": offered - succeeded} if succeeded < offered else {},
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
        raise ValueError(f"{column} is {row[column]!r}, not within 0 and 1")
    return success_rate


def _mean_ms(row: Row, name: str, units: Units) -> float | None:
    column = f"medium_latency_function_{name}"
    latency = number(row, column)
    mean_ms = None if latency is None else latency / _PER_MS[units.latency]
    if mean_ms and not _SHORTEST_MS < mean_ms < _LONGEST_RUNS * 1000 * units.duration_s:
        raise ValueError(f"{column} is {row[column]}, no latency in {units.latency}")
    return mean_ms


def _node(row: Row, units: Units) -> NodeMeasurement:
    cpu_pct, idle_cpu_pct = number(row, "cpu_usage_node"), number(row, "cpu_usage_idle_node")
    return NodeMeasurement(
        cpu_pct=None if cpu_pct is None else cpu_pct / units.cores,
        ram_bytes=rounded(row, "ram_usage_node"),
        ram_pct=number(row, "ram_usage_node_percentage"),
        power_uw=number(row, "power_usage_node"),
        idle_cpu_pct=None if idle_cpu_pct is None else idle_cpu_pct / units.cores,
        idle_ram_bytes=rounded(row, "ram_usage_idle_node"),
        idle_ram_pct=number(row, "ram_usage_idle_node_percentage"),
        idle_power_uw=number(row, "power_usage_idle_node"),
    )
