"""Means over episodes that stand being asked how sure they are.

Notation: ``n`` episodes, ``r`` resamples. A statistic takes values (..., n) and returns (...).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Statistic = Callable[[Floats], Floats]

_N_RESAMPLES = 2000
_COVERED_PCT = 95.0


def mean(values: Floats) -> Floats:
    """Return the mean over the last axis."""
    averaged: Floats = values.mean(axis=-1)
    return averaged


def iqm(values: Floats) -> Floats:
    """Return the interquartile mean over the last axis: that of what is left without a quarter at each end.

    Less moved by single episodes than the mean, and less blind to most of them than the median: Agarwal et al., "Deep
    reinforcement learning at the edge of the statistical precipice", NeurIPS 2021. As there, a quarter is rounded down.
    """
    n = values.shape[-1]
    return mean(np.sort(values, axis=-1)[..., n // 4 : n - n // 4])


def resamples(n: int, strata: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return which of ``n`` episodes each resample has, (r, n): as many of each stratum as there are, all at random.

    Always the same ones for the same strata (n,), so that what is compared is resampled alike.
    """
    rng = np.random.default_rng(0)
    if strata is None:
        return rng.integers(0, n, (_N_RESAMPLES, n))
    own = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    return np.concatenate([rng.choice(episodes, (_N_RESAMPLES, len(episodes))) for episodes in own], axis=1)


def bootstrap(values: Floats, statistic: Statistic, chosen: NDArray[np.int64]) -> tuple[float, float]:
    """Return the interval that 95 % of a statistic of resampled episodes lie in, by the percentile bootstrap.

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979). ``chosen`` (r, n) are the
    ``resamples``; with strata that is what Agarwal et al. do, whose strata are tasks.
    """
    return covered(statistic(values[chosen]))


def covered(statistics: Floats) -> tuple[float, float]:
    """Return the interval that 95 % of the statistics of resamples (r,) lie in."""
    low, high = np.percentile(statistics, [50 - _COVERED_PCT / 2, 50 + _COVERED_PCT / 2])
    return float(low), float(high)
