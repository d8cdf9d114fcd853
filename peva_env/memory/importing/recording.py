"""What a shape of files (``peva_env.memory.dfaas``, ``peva_env.memory.table``) makes of a file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from peva_env.config import LONGEST_S
from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.memory.importing.cells import number
from peva_env.memory.importing.csv_file import CsvFile, Refusal, Row, shortened

type LatencyUnit = Literal["ns", "us", "ms", "s"]
type Rates = dict[str, int]
"""The functions of a configuration, sorted, with their rates in requests per second."""

_PER_MS: dict[LatencyUnit, float] = {"ns": 1e6, "us": 1e3, "ms": 1.0, "s": 1e-3}
_SHORTEST_MS, _LONGEST_RUNS = 1e-3, 10
"""A latency under 1 us, or over 10 times the duration of a run, was recorded in another unit."""


_MOST_PCT = 110
"""Of a node's capacity: what is measured may be a little above all of it, and a wrong unit makes it far more."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run in this package's units; ``overloaded`` is as recorded, None where nothing is."""

    functions: tuple[FunctionMeasurement, ...]
    node: NodeMeasurement
    rest_s: float
    overloaded: bool | None


@dataclass(frozen=True, slots=True)
class Recording:
    """The content of a file: runs or skipped configurations, and the lines that are refused.

    ``functions`` are those of its campaign, sorted. ``latency_unit`` is None where it has no latencies.
    """

    file: CsvFile
    functions: tuple[str, ...]
    runs: tuple[RecordedRun, ...] = ()
    skips: tuple[Rates, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    is_results: bool = True
    latency_unit: LatencyUnit | None = None


def function_of_counts(
    name: str, rate_rps: int, *, offered: int, succeeded: int, success_rate: float, **measured: Any
) -> FunctionMeasurement:
    """Return a measurement of which a file tells offered and succeeded requests: all were sent, the others failed.

    ``measured`` are further fields of ``FunctionMeasurement``.
    """
    return FunctionMeasurement(
        name=name,
        rate_rps=rate_rps,
        offered=offered,
        sent=offered,
        dropped=0,
        succeeded=succeeded,
        failed={"other": offered - succeeded} if succeeded < offered else {},
        success_rate=success_rate,
        **measured,
    )


def offered_requests(rate_rps: int, duration_s: float) -> int:
    """Return the requests that a run offers a function, which the file does not tell.

    Raises:
        ValueError: there is none, although the rate is not 0, so that no success rate can be right.
    """
    offered = round(rate_rps * duration_s)
    if rate_rps and not offered:
        said = f"{rate_rps} rps in {duration_s:g} s are {rate_rps * duration_s:g} requests"
        raise ValueError(f"{said}, which rounds to none; is --duration right?")
    return offered


def latency_ms(row: Row, column: str, unit: LatencyUnit, duration_s: float) -> float | None:
    """Return a cell's latency in milliseconds, None if it is missing.

    Raises:
        ValueError: it is not a number, or no run of ``duration_s`` seconds can have it.
    """
    value = number(row, column)
    if not value:
        return value
    value_ms = value / _PER_MS[unit]
    if not _SHORTEST_MS < value_ms < _LONGEST_RUNS * 1000 * duration_s:
        raise ValueError(f"{shortened(column)} is {shortened(row[column])}, no latency in {unit}")
    return value_ms


def share_pct(found_pct: float | None, said: Callable[[], str], question: str) -> float | None:
    """Return a use of a node in percent of its capacity, None if it is missing.

    Args:
        found_pct: it.
        said: returns what the line says, for a message.
        question: what may be wrong if it is too large.

    Raises:
        ValueError: it is more than any node uses.
    """
    if found_pct is not None and found_pct > _MOST_PCT:
        raise ValueError(f"{said()}, {found_pct:g} percent of the node's capacity; {question}")
    return found_pct


def rest_s(seconds: float | None) -> float:
    """Return for how long a node rested before a run, in seconds; it did not where that is not known.

    Raises:
        ValueError: it is more than a year.
    """
    if seconds is not None and seconds > LONGEST_S:
        raise ValueError(f"the rest before the run is {seconds:g} s, more than a year")
    return seconds or 0.0


def accepted[T](rows: Iterable[T | Refusal]) -> tuple[tuple[T, ...], tuple[Refusal, ...]]:
    """Return the rows that were read, and the refusals, each in order."""
    read, refused = [], []
    for row in rows:
        if isinstance(row, Refusal):
            refused.append(row)
        else:
            read.append(row)
    return tuple(read), tuple(refused)
