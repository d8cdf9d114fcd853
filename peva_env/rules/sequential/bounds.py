"""Bounds of shares and of growth, for a decision that is looked at many times during a run.

Notation: ``k`` of ``n`` requests failed; ``alpha`` is the error rate; ``x`` (m,) are moments in s and ``y`` (m,) the
mean latencies of the requests around them in s.

**A share** has a confidence sequence: the bounds hold for all ``n`` at once with probability ``1 - alpha``, so that one
may look after every request. It is the set of all ``p`` that a mixture of sequential probability ratio tests does not
reject: the likelihood ratio against ``p``, averaged over alternatives with the density Beta(1/2, 1/2), stays below
``1 / alpha``. Sources: Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16 (1945);
Ville (1939), by whose inequality the average ever exceeds ``1 / alpha`` with probability ``alpha`` at most; Robbins,
"Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41 (1970); Howard,
Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49
(2021).

Requests are not independent: failures come in clusters. ``n`` and ``k`` are therefore divided by the *design effect*,
the variance of the failures of a batch of requests as a multiple of its binomial variance (Kish, "Survey Sampling",
1965; batch means: Law, "Simulation Modeling and Analysis", chapter 9).

**Growth** is the slope of the latency over time, for one look. Consecutive mean latencies are not independent either,
and the two errors are not alike. The upper bound is that of a least-squares line, with its standard error multiplied by
``sqrt((1 + phi) / (1 - phi))`` for residuals with the autocorrelation ``phi`` (Bartlett, "Some aspects of the
time-correlation problem", Journal of the Royal Statistical Society 98, 1935), corrected for the bias of short series
(Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 41, 1954) and raised by its standard
error, ``1 / sqrt(m)``. The lower bound takes the latency for a random walk, as it is in a queue near its capacity: a
t-test on the increments. The upper bound is wrong more often than ``alpha`` where the latency itself wanders like that;
how often a run is ended wrongly is simulated by ``python -m benchmarks stop-early``.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_DESIGN_EFFECT = 1.5
"""Design effect where too few requests failed to estimate it."""

LEAST_POINTS = 8
"""Mean latencies without which nothing is said of their growth."""

_MOST_CORRELATED = 0.9
_PRIOR = 0.5
_HALVINGS = 40
_NORMAL = NormalDist()


class Bounds(NamedTuple):
    """The lowest and the highest value that is not excluded."""

    low: float
    high: float


def share_bounds(k: float, n: float, alpha: float) -> Bounds:
    """Return the confidence sequence of a share after ``k`` of ``n`` independent requests; 0..1 before the first."""
    if n <= 0:
        return Bounds(0.0, 1.0)
    threshold = _log_beta(_PRIOR, _PRIOR) - _log_beta(_PRIOR + k, _PRIOR + n - k) - math.log(alpha)

    def is_excluded(p: float) -> bool:
        likelihood = (k * math.log(p) if k else 0.0) + ((n - k) * math.log1p(-p) if k < n else 0.0)
        return -likelihood > threshold

    low = _edge(k / n, 0.0, is_excluded) if k else 0.0
    high = _edge(k / n, 1.0, is_excluded) if k < n else 1.0
    return Bounds(low, high)


def design_effect(failed: Sequence[int], offered: Sequence[int]) -> float:
    """Return the variance of the failures of batches as a multiple of the binomial variance, at least the least one.

    Args:
        failed: the failed requests of each batch.
        offered: all requests of each batch.
    """
    n = sum(offered)
    share = sum(failed) / n if n else 0.0
    if len(offered) < 2 or not 0 < share < 1:
        return LEAST_DESIGN_EFFECT
    squares = sum((k - share * size) ** 2 for k, size in zip(failed, offered, strict=True))
    variance = squares / (len(offered) - 1)
    return max(LEAST_DESIGN_EFFECT, variance / (share * (1 - share) * n / len(offered)))


def growth_bounds(x: NDArray[np.float64], y: NDArray[np.float64], alpha: float) -> Bounds:
    """Return the bounds of the growth of the latency in s per s, each with the error rate ``alpha``.

    Nothing is excluded with fewer than ``LEAST_POINTS`` mean latencies.
    """
    m = len(x)
    if m < LEAST_POINTS:
        return Bounds(-math.inf, math.inf)
    return Bounds(_lowest_drift(x, y, alpha), _highest_slope(x, y, alpha))


def backlog_of(growth: float, offered: int) -> int:
    """Return how many of the offered requests queue up where the latency grows by ``growth`` s per s."""
    return round(offered * growth / (1 + growth))


def _highest_slope(x: NDArray[np.float64], y: NDArray[np.float64], alpha: float) -> float:
    m = len(x)
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    residuals = y - y.mean() - slope * centred
    squares = float(residuals @ residuals)
    if squares <= 0.0:
        return slope
    correlation = float(residuals[1:] @ residuals[:-1]) / squares
    correlation += (1 + 3 * correlation) / m + 1 / math.sqrt(m)
    correlation = min(_MOST_CORRELATED, max(0.0, correlation))
    inflation = math.sqrt((1 + correlation) / (1 - correlation))
    deviation: float = inflation * math.sqrt(squares / (m - 2) / spread)
    return slope + _t_quantile(1 - alpha, m - 2) * deviation


def _lowest_drift(x: NDArray[np.float64], y: NDArray[np.float64], alpha: float) -> float:
    steps, increments = np.diff(x), np.diff(y)
    length_s = float(x[-1] - x[0])
    drift = float(y[-1] - y[0]) / length_s
    squares = float((increments - drift * steps) @ (increments - drift * steps))
    degrees = len(steps) - 1
    deviation = math.sqrt(squares / degrees * len(steps)) / length_s
    return drift - _t_quantile(1 - alpha, degrees) * deviation


def _t_quantile(level: float, degrees: int) -> float:
    """Return a quantile of Student's t distribution (Abramowitz and Stegun, 1964, equation 26.7.5)."""
    z = _NORMAL.inv_cdf(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(degrees**power) for power, term in enumerate(terms, start=1))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(inside: float, outside: float, is_excluded: Callable[[float], bool]) -> float:
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if is_excluded(middle):
            outside = middle
        else:
            inside = middle
    return outside
