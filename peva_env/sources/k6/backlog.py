"""The backlog of a function: by how many requests its queue grew during a run.

A function that is offered more than it can serve answers each request later than the one before it, as long as its
queue has no limit. k6 counts no failure before the wait exceeds the timeout: with a timeout as long as the run, only
above twice the capacity. So the growth of the latency is tested.

Method: the run is divided into segments of equal length, and each has the median latency of the successful requests
that were sent in it. A straight line is fitted to the medians. The queue grows if the slope is above zero by a
one-sided t-test, as load generators for inference servers test the slope of latencies and of requests in flight, and
if it is above a floor. At an arrival rate of ``a`` and a service rate of ``s``, the latency grows by ``a / s - 1``
seconds per second (a queue in order of arrival), so a slope ``g`` means that a share ``g / (1 + g)`` of the requests
queues up.

A queue grows from the beginning to the end. A latency that steps up once (a slower dependency, a throttled CPU) rises
in one half of the run only, and is no backlog.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peva_env.rules import LEAST_GROWTH, backlog_of

SEGMENTS = 8
"""Parts of a run: enough for a test with six degrees of freedom, and each has requests at low rates, too."""

_LEAST_REQUESTS = 3
"""Successful requests of a segment without which its median says nothing."""

_T_LIMIT = 3.14
"""Quantile 0.99 of Student's t distribution with SEGMENTS - 2 degrees of freedom."""

_LEAST_MS = 25.0
"""Smallest growth of the latency over the run, in ms: less is the noise of a machine."""


_STEADY = 0.25
"""Smallest slope of either half of the run, as a share of the whole slope: a queue grows all the time."""


def backlog(medians_ms: Sequence[float | None], counts: Sequence[int], offered: int, duration_s: float) -> int:
    """Return the number of offered requests by which the queue grew, 0 where it did not grow significantly.

    Args:
        medians_ms: the median latency of the successful requests of each segment, ms.
        counts: the successful requests of each segment.
        offered: the offered requests of the run.
        duration_s: the length of the run.
    """
    if min(counts) < _LEAST_REQUESTS:
        return 0
    y = np.array([math.nan if median is None else median for median in medians_ms]) / 1000
    x = (np.arange(SEGMENTS) + 0.5) * duration_s / SEGMENTS
    slope, deviation = _line(x, y)
    if not (slope > LEAST_GROWTH and slope * duration_s * 1000 > _LEAST_MS and slope > _T_LIMIT * deviation):
        return 0
    half = SEGMENTS // 2
    if any(_line(x[part], y[part])[0] < _STEADY * slope for part in (slice(half), slice(half, None))):
        return 0  # a step from one latency to another: something else slowed the function down
    return backlog_of(slope, offered)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope of the least-squares line, and its standard error."""
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    residuals = y - y.mean() - slope * centred
    return slope, math.sqrt(float(residuals @ residuals) / (len(x) - 2) / spread)
