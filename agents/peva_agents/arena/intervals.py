"""Means over episodes, and their bootstrap intervals.

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
    """Return the interquartile mean over the last axis: the mean without the lowest and the highest quarter.

    Outliers move it less than the mean, and it uses more episodes than the median: Agarwal et al., "Deep reinforcement
    learning at the edge of the statistical precipice", NeurIPS 2021. As there, a quarter is rounded down.
    """
    n = values.shape[-1]
    return mean(np.sort(values, axis=-1)[..., n // 4 : n - n // 4])


def resamples(n: int, strata: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the numbers of the episodes in each resample, (r, n), drawn with replacement within each stratum.

    The same strata (n,) always give the same resamples, so that all agents of a comparison are resampled alike.
    """
    rng = np.random.default_rng(0)
    if strata is None:
        return rng.integers(0, n, (_N_RESAMPLES, n))
    own = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    return np.concatenate([rng.choice(episodes, (_N_RESAMPLES, len(episodes))) for episodes in own], axis=1)


def bootstrap(values: Floats, statistic: Statistic, chosen: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of a statistic over resampled episodes, by the percentile bootstrap.

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979). ``chosen`` (r, n) are the
    ``resamples``; with strata this is the stratified bootstrap of Agarwal et al., whose strata are tasks.
    """
    return covered(statistic(values[chosen]))


def covered(statistics: Floats) -> tuple[float, float]:
    """Return the interval that holds the middle 95 % of the statistics of resamples (r,)."""
    low, high = np.percentile(statistics, [50 - _COVERED_PCT / 2, 50 + _COVERED_PCT / 2])
    return float(low), float(high)
