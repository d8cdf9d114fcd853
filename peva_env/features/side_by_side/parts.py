"""Campaigns are computed in parts, those with similar numbers of measurements together.

So few of the rows of their arrays are padding, and the arrays stay in the processor's cache.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 448
"""Rows of a part, padding included: each is an array of ``k`` candidates."""

_ROWS_BESIDE = 4
"""Rows that a campaign counts for beside its measurements."""


def parts_of(n_measured: NDArray[np.int64]) -> Iterator[slice]:
    """Yield the parts of campaigns with these numbers of measurements (m,), in ascending order."""
    start, n_rows = 0, n_measured + _ROWS_BESIDE
    while start < len(n_rows):
        rows = n_rows[start:] * np.arange(1, len(n_rows) - start + 1)
        stop = start + max(1, int(np.searchsorted(rows, _ROWS_AT_ONCE, side="right")))
        yield slice(start, stop)
        start = stop
