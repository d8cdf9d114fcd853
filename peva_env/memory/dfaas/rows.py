"""Parsing the rows of ``results.csv`` and ``skipped.csv`` of DFaaS and PEVA-FAAS, or refusing them with a reason.

The files lack the unit of latencies and the number of cores over which CPU percentages are summed, and those of 2023-06
the size of the RAM: ``Units`` holds them. Those files have neither latencies nor power, and a row at rate 0 for each
function that was not loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.errors import ConfigError
from peva_env.memory.dfaas.columns import (
    LATENCY,
    RAM_BYTES,
    RATE,
    function_names,
    has_latencies,
    lists_skips,
    numbers,
    problem_of_results,
    problem_of_skips,
    whole_numbers,
)
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
    latency_ms,
    number,
    offered_requests,
    rest_s,
    rounded,
    share_pct,
    shortened,
)

PIECE = "one of the pieces in which DFaaS wrote the configuration of a later line, and not one that was skipped"
REPEATED = "the configuration of an earlier line once more"


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
    names = function_names(file)
    if lists_skips(file):
        skips, refusals = accepted(_skips(file, names))
        return Recording(file, names, skips=skips, refusals=refusals, is_results=False)
    unit = units.latency if has_latencies(file) else None
    if unit is None and has_latencies(file):
        raise ConfigError(f"{file.path} has latencies: give --latency-unit ns (DFaaS) or ms (PEVA-FAAS)")
    problem = problem_of_results(file, names, units.ram_bytes, rules)
    lines = file.read(problem, lambda row: _run(row, names, units), whole=whole_numbers(names), numeric=numbers(names))
    runs, refusals = accepted(run for _, run in lines)
    return Recording(file, names, runs, refusals=refusals, latency_unit=unit)


def _skips(file: CsvFile, functions: Sequence[str]) -> list[Rates | Refusal]:
    """Return the skipped configuration of each line, or its refusal.

    DFaaS wrote a configuration of three functions as three lines: its first function, its first two, all three.
    PEVA-FAAS writes whole configurations, also of fewer functions than the plan has.
    """
    rates = [f"{RATE}{name}" for name in functions]
    problem = problem_of_skips(file, functions)
    lines = list(file.read(problem, lambda row: _rates(row, functions), whole=rates, numeric=rates))
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
            there, missing = (RATE, "function_") if is_absent else ("function_", RATE)
            raise ValueError(f"{there}{name} is {shortened(row[there + name])!r}, but {missing}{name} is missing")
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
    if success_rate is None:
        raise ValueError(f"{column} is missing")
    if success_rate > 1:
        raise ValueError(f"{column} is {shortened(row[column])!r}, not within 0 and 1")
    return success_rate


def _mean_ms(row: Row, name: str, units: Units) -> float | None:
    if units.latency is None:
        return None
    return latency_ms(row, f"{LATENCY}{name}", units.latency, units.duration_s)


def _node(row: Row, units: Units) -> NodeMeasurement:
    return NodeMeasurement(
        cpu_pct=_cpu_pct(row, "cpu_usage_node", units),
        ram_bytes=rounded(row, RAM_BYTES),
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
