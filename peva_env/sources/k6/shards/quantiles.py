"""Latencies of several k6 as those of one: the pooled sample is restored from quantiles of each part.

Percentiles do not add up, and k6 writes no samples into its summary. But it writes any percentile that is asked for:
``PERCENTILES``, some 400. k6 interpolates linearly between the two samples around a percentile, so that the function
from percentile to latency is a line between neighbouring samples. Where two of the percentiles lie between the same two
samples, their line gives both samples, exactly: that is so for each part with up to 101 samples, above the median with
up to 201, above the 88th percentile with up to 501, and above the 98th with up to 2,001. Elsewhere samples are
interpolated.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PERCENTILES = np.concatenate(
    [np.arange(0, 50, 1.0), np.arange(50, 88, 0.25), np.linspace(88, 98, 100, endpoint=False), np.linspace(98, 100, 81)]
)
"""Percentiles that each part tells; denser where latencies lie further apart and rules look, above the median."""

_MOST_RESTORED = 200_000
"""Samples of all parts that are restored at most; of more, every second one or fewer."""

_ROUNDING = 1e-9


def restored(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return ``n`` sorted samples whose percentiles are ``values``, one for each of ``PERCENTILES``."""
    if n == 1:
        return values[:1]
    at = PERCENTILES / 100
    ranks = np.arange(n) / (n - 1)
    samples = np.interp(ranks, at, values)
    lows, highs = ranks[:-1], ranks[1:]
    first = np.searchsorted(at, lows - _ROUNDING)
    last = np.searchsorted(at, highs + _ROUNDING, side="right") - 1
    has_two = last > first
    first, last, lows, highs = first[has_two], last[has_two], lows[has_two], highs[has_two]
    slopes = (values[last] - values[first]) / (at[last] - at[first])
    where = np.flatnonzero(has_two)
    samples[where] = values[first] + slopes * (lows - at[first])
    samples[where + 1] = values[first] + slopes * (highs - at[first])
    return samples


def pooled(parts: Sequence[tuple[NDArray[np.float64], int]]) -> NDArray[np.float64]:
    """Return the sorted samples of all parts, each with its percentiles and its number of samples, above 0."""
    thinning = max(1.0, sum(n for _, n in parts) / _MOST_RESTORED)
    return np.sort(np.concatenate([restored(values, max(1, round(n / thinning))) for values, n in parts]))
