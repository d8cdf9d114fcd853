"""What k6 has counted so far, read from its REST API while it runs, for somebody who may end the run.

k6 serves its metrics on an address of this machine, as in its summary but without counts and 99th percentiles of
latencies. It takes k6 one to two milliseconds to answer. An output of all samples, through a pipe, costs k6 and its
reader time for each request, and a reader that falls behind would hold k6 up.

Whatever goes wrong with reading, the run goes on to its end.
"""

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from peva_env.contracts import FunctionMeasurement
from peva_env.errors import LoadGeneratorError
from peva_env.rules import Reading
from peva_env.sources.k6.cpu_trace import CpuTrace
from peva_env.sources.k6.plan import FunctionLoad, scenario, slow_requests, stalls
from peva_env.sources.k6.summary import load_started_at, measurements
from peva_env.system import HttpClient, NoResponseError, json_value, usable_cores

LOGGER = logging.getLogger("peva_env.k6")

type Watcher = Callable[[Reading, float], bool]
"""Is told what k6 has counted, and when its load began in seconds since the epoch; returns whether to end the run."""

_INTERVAL_S = 0.5
_TIMEOUT_S = 1.0
_MOST_FAILURES = 20
"""Readings that may fail in a row. k6 does not answer before it has initialised its virtual users."""

_MOST_HELD_UP = 0.01
"""Share of requests that may come late because k6 stood still; with more, latencies may be due to that."""

_SLOW_SHARE = 0.01
"""Share of the requests that may be above the 99th percentile."""


class LiveCounts:
    """Reads the counts of a running k6 twice a second, whenever ``look`` is called, and ends k6 when told to.

    Args:
        loads: the functions and their rates.
        warm_up_s: load before the counted load, in seconds.
        duration_s: length of the counted load, in seconds.
        watcher: is told each reading.
    """

    def __init__(self, loads: Sequence[FunctionLoad], *, warm_up_s: float, duration_s: float, watcher: Watcher) -> None:
        self.address = f"127.0.0.1:{_free_port()}"
        self.has_ended_k6 = False
        self._loads = loads
        self._warm_up_s = warm_up_s
        self._duration_s = duration_s
        self._watcher = watcher
        self._client = HttpClient(f"http://{self.address}")
        self._load_started_at: float | None = None
        self._next_at = 0.0
        self._n_failures = 0

    def look(self, end: Callable[[], None], trace: CpuTrace) -> None:
        """Read the counts, unless they were read just now; call ``end``, which ends k6, if the watcher says so."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _INTERVAL_S
        try:
            reading = self._read(trace)
        except NoResponseError as error:
            self._n_failures += 1
            if self._n_failures >= _MOST_FAILURES:
                self._give_up(str(error))
            return
        except LoadGeneratorError as error:
            self._give_up(str(error))
            return
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self._give_up(f"its REST API answers in another format: {error!r}")
            return
        self._n_failures = 0
        if reading and self._watcher(reading, (self._load_started_at or 0.0) + self._warm_up_s):
            self.has_ended_k6 = True
            self._next_at = float("inf")
            end()

    def _give_up(self, problem: str) -> None:
        LOGGER.warning("k6's counts cannot be read, so that this run goes on to its end: %s", problem)
        self._next_at = float("inf")

    def _read(self, trace: CpuTrace) -> Reading | None:
        """Return the counts; None before the counted load has begun."""
        if self._load_started_at is None:
            setup = self._answer("/v1/setup")["data"]["attributes"]
            if not setup.get("data"):
                return None
            self._load_started_at = load_started_at({"setup_data": setup["data"]})
        ran_s = time.time() - self._load_started_at - self._warm_up_s
        if ran_s <= 0:
            return None
        metrics = {one["id"]: {"values": _values(one["attributes"])} for one in self._answer("/v1/metrics")["data"]}
        for index, load in enumerate(self._loads):
            if load.rate_rps:  # k6 counts an iteration a moment after its request
                metrics[f"iterations{{scenario:{scenario(index)}}}"] = metrics[
                    f"http_reqs{{scenario:{scenario(index)}}}"
                ]
        stalled_ms = metrics.get("peva_stalled_ms", {"values": {"count": 0}})["values"]["count"]
        metrics[stalls()] = {"values": {"avg": stalled_ms, "count": 1}}
        functions = measurements(self._loads, {"metrics": metrics}, self._duration_s, may_be_early=True)
        now = time.time()
        used_s = trace.use(0.0).used_s(now - ran_s, now) or 0.0
        return Reading(
            ran_s,
            tuple(self._with_p99(index, function, metrics) for index, function in enumerate(functions)),
            generator_cpu_pct=100 * used_s / (ran_s * usable_cores()),
            is_even=all(function.held_up <= _MOST_HELD_UP * function.offered for function in functions),
        )

    def _with_p99(
        self, index: int, function: FunctionMeasurement, metrics: Mapping[str, Mapping[str, Any]]
    ) -> FunctionMeasurement:
        """Return a function with an upper bound of its 99th percentile, which has been its highest latency so far."""
        for slow_ms in sorted(self._loads[index].slow_ms):
            n_slower = metrics[slow_requests(scenario(index), slow_ms)]["values"]["count"]
            if function.p99_ms and n_slower <= _SLOW_SHARE * function.succeeded:
                return replace(function, p99_ms=min(function.p99_ms, float(slow_ms)))
        return function

    def _answer(self, path: str) -> Any:
        response = self._client.request(path, timeout_s=_TIMEOUT_S)
        if not response.ok:
            raise LoadGeneratorError(f"k6's REST API answered {path} with {response}")
        return json_value(response.text)


def _values(attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of a metric as in k6's summary: with a count, and the highest for the 99th percentile."""
    values: dict[str, float] = attributes["sample"]
    if attributes["type"] != "trend":
        return values
    return values | {"count": 1 if values["max"] else 0, "p(99)": values["max"]}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
