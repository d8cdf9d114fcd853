"""Runs against a simulated queue, request by request: what k6 would have counted at any moment, and in the end.

A function has ``c`` slots that serve requests in order of arrival, as in ``peva_env.sources.simulated``, and room for
some more in a queue. k6 offers requests at equal intervals. A request that finds no room fails at once, and one that is
not answered within the timeout fails then (the function serves it all the same).
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import FunctionMeasurement
from peva_env.sources.k6.backlog import SEGMENTS, backlog

type Floats = NDArray[np.float64]

_PERCENTILES = {"p50_ms": 50, "p90_ms": 90, "p95_ms": 95, "p99_ms": 99}


@dataclass(frozen=True)
class Queue:
    """A function: slots, room for waiting requests, and the time of a request, lognormal with a deviation."""

    slots: int
    room: float
    mean_s: float
    variation: float  # standard deviation as a multiple of the mean

    @property
    def capacity_rps(self) -> float:
        """The requests/s that the slots serve."""
        return self.slots / self.mean_s

    def run(self, rate_rps: int, duration_s: float, timeout_s: float, rng: np.random.Generator) -> "QueueRun":
        """Offer a load, beginning with an empty queue."""
        n = int(rate_rps * duration_s)
        spread = np.sqrt(np.log1p(self.variation**2))
        times_s = self.mean_s * np.exp(spread * rng.standard_normal(n) - spread**2 / 2)
        sent_s = np.arange(n) / rate_rps
        done_s, is_ok = np.empty(n), np.zeros(n, dtype=bool)
        slots = [0.0] * self.slots  # when each is free
        waiting: list[float] = []  # when each waiting request gets a slot
        for i in range(n):
            now = sent_s[i]
            while waiting and waiting[0] <= now:
                heapq.heappop(waiting)
            if len(waiting) >= self.room and slots[0] > now:
                done_s[i] = now
                continue
            starts = max(now, slots[0])
            done = starts + times_s[i]
            heapq.heapreplace(slots, done)
            if starts > now:
                heapq.heappush(waiting, starts)
            is_ok[i] = done - now <= timeout_s
            done_s[i] = min(done, now + timeout_s)
        return QueueRun(rate_rps, duration_s, sent_s, done_s, is_ok)


@dataclass(frozen=True)
class QueueRun:
    """The requests of a run, in order: when each was sent and ended, in s, and whether it succeeded."""

    rate_rps: int
    duration_s: float
    sent_s: Floats
    done_s: Floats
    is_ok: NDArray[np.bool_]

    def until(self, name: str, ran_s: float) -> FunctionMeasurement:
        """Return what k6 had counted at a moment."""
        return self._measured(name, self.done_s <= ran_s)

    def whole(self, name: str) -> FunctionMeasurement:
        """Return what k6 counts in the whole run, with the backlog."""
        measured = self._measured(name, np.ones(len(self.sent_s), dtype=bool))
        segment = np.minimum(self.sent_s * SEGMENTS // self.duration_s, SEGMENTS - 1)
        latencies_ms = 1000 * (self.done_s - self.sent_s)
        of = [latencies_ms[self.is_ok & (segment == one)] for one in range(SEGMENTS)]
        medians = [float(np.median(one)) if len(one) else None for one in of]
        excess = backlog(medians, [len(one) for one in of], measured.offered, self.duration_s)
        return FunctionMeasurement(**_fields(measured) | {"backlog": excess})

    def _measured(self, name: str, is_counted: NDArray[np.bool_]) -> FunctionMeasurement:
        offered, succeeded = int(is_counted.sum()), int((is_counted & self.is_ok).sum())
        latencies_ms = 1000 * (self.done_s - self.sent_s)[is_counted & self.is_ok]
        found: dict[str, Any] = {}
        if succeeded:
            values = np.percentile(latencies_ms, list(_PERCENTILES.values()))
            found = dict(zip(_PERCENTILES, map(float, values), strict=True)) | {"mean_ms": float(latencies_ms.mean())}
        return FunctionMeasurement(
            name,
            self.rate_rps,
            offered,
            offered,
            0,
            succeeded,
            {"status_5xx": offered - succeeded} if offered > succeeded else {},
            succeeded / offered if offered else 1.0,
            **found,
        )


def _fields(measured: FunctionMeasurement) -> dict[str, Any]:
    return {name: getattr(measured, name) for name in FunctionMeasurement.__dataclass_fields__}
