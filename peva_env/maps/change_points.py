"""Change points of a series: where its mean changes by more than chance explains.

Notation: ``n`` values; an *arc* is a run of ``m`` of them, from number ``i`` to before number ``j``. Its statistic is

    Z_ij = |mean of the arc - mean of the rest| / (s sqrt(1 / m + 1 / (n - m)))

with the pooled standard deviation ``s`` of arc and rest. The ends of the arc with the largest statistic are change
points if it is larger than in all but a share ``level`` of series of ``n`` independent normal values, which are
simulated; the parts are then searched in the same way. This is circular binary segmentation (Olshen, Venkatraman,
Lucito and Wyner, Biostatistics 5, 2004). An arc that begins or ends with the series has one end only, which is the test
for one shift (Hawkins, Journal of the American Statistical Association 72, 1977). An arc that is followed by a return
must have two values: a single outlier is no change.

A capacity is known to one step of its grid, so ``s`` is never taken to be less than that of rounding to a step,
``step / sqrt(12)``: equal values are no proof that a series has no noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

FEWEST = 3
"""The smallest number of values that has a change point: two parts, and one value more for the noise."""

_SIMULATIONS, _AT_ONCE = 1_999, 2_000_000


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The mean of a series changes before value number ``index``: from ``before`` to ``after``, each of its own part.

    ``p_value`` is the probability of so large a statistic in a series without change.
    """

    index: int
    before: float
    after: float
    p_value: float

    @property
    def share(self) -> float:
        """The change as a share of the value before: -0.2 is a loss of a fifth."""
        return (self.after - self.before) / self.before if self.before else float(np.sign(self.after))


def change_points(values: Sequence[float], *, step: float, level: float = 0.05) -> list[ChangePoint]:
    """Return the change points of a series, in its order.

    Args:
        values: the series.
        step: the distance of two values that could be told apart, such as that of two rates of a grid.
        level: the probability of a change point in a series without change, at least 0.001.
    """
    series = np.array(values, np.float64)
    ends = _ends(series, step, level)
    bounds = [0, *sorted(ends), len(series)]
    means = [float(series[first:end].mean()) for first, end in pairwise(bounds)]
    found = zip(bounds[1:-1], means, means[1:], strict=False)
    return [ChangePoint(index, before, after, ends[index]) for index, before, after in found]


def _ends(series: Floats, step: float, level: float) -> dict[int, float]:
    """Return the change points of a series with their p-values."""
    if len(series) < FEWEST:
        return {}
    first, end = _arcs(len(series))
    statistics = _statistics(series, step)
    best = int(statistics.argmax())
    p_value = _p_value(len(series), float(statistics[best]))
    if p_value > level:
        return {}
    cuts = [cut for cut in (int(first[best]), int(end[best])) if 0 < cut < len(series)]
    found = dict.fromkeys(cuts, p_value)
    bounds = [0, *cuts, len(series)]
    for start, stop in pairwise(bounds):
        found |= {start + cut: p for cut, p in _ends(series[start:stop], step, level).items()}
    return found


@cache
def _arcs(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first and end of each arc of ``n`` values; an arc that ends with the series is the rest of another."""
    first, end = np.triu_indices(n + 1, 1)
    inner = (first > 0) & (end < n) & (end - first >= 2)
    kept = inner | ((first == 0) & (end < n))
    return first[kept].astype(np.int64), end[kept].astype(np.int64)


def _statistics(series: Floats, step: float) -> Floats:
    """Return ``Z_ij`` of each arc of series (..., n), (..., arcs)."""
    n = series.shape[-1]
    first, end = _arcs(n)
    centred = series - series.mean(axis=-1, keepdims=True)
    sums = np.concatenate([np.zeros((*series.shape[:-1], 1)), centred.cumsum(axis=-1)], axis=-1)
    inside, m = sums[..., end] - sums[..., first], end - first
    gained = inside**2 * n / (m * (n - m))  # what the two means explain of the sum of squares
    within = (centred**2).sum(axis=-1, keepdims=True) - gained
    variance = np.maximum(within / max(1, n - 2), max(step**2 / 12, 1e-300))
    statistics: Floats = np.sqrt(gained / variance)
    return statistics


def _p_value(n: int, statistic: float) -> float:
    simulated = _largest_by_chance(n)
    above = len(simulated) - int(np.searchsorted(simulated, statistic, "left"))
    return (1 + above) / (1 + len(simulated))


@cache
def _largest_by_chance(n: int) -> Floats:
    """Return the largest statistics of series of ``n`` normal values, in ascending order."""
    series = np.random.default_rng(n).normal(size=(_SIMULATIONS, n))
    n_parts = 1 + _SIMULATIONS * len(_arcs(n)[0]) // _AT_ONCE
    largest = [_statistics(part, 0.0).max(axis=-1) for part in np.array_split(series, n_parts)]
    found: Floats = np.sort(np.concatenate(largest))
    return found
