"""Lookups of the tensor cache: codes of strings, and rows by key, without a Python object per event."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from peva_env.memory.tensors.event_arrays import Coded

_SCANNED_ROWS = 1024
_SCANNED_SHARE = 16
"""Largest unsorted tail that is scanned before it is sorted in: this many rows, or this fraction (1/16) of all."""


class Codebook:
    """Strings and the numbers that stand for them, in order of appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        """Iterate over the strings, in the order of their codes."""
        return iter(self._codes)

    def code(self, text: str) -> int | None:
        """Return the code of a string, None if it has none."""
        return self._codes.get(text)

    def encode(self, strings: Coded) -> NDArray[np.int64]:
        """Return the codes of strings, giving one to each that is new."""
        own = np.array([self._codes.setdefault(text, len(self._codes)) for text in strings.values], np.int64)
        return own[strings.codes]


class SortedRows:
    """Finds rows by their key in a column that only ever grows: sorted up to some row, searched beyond it.

    Sorting again only after a share of growth keeps a lookup at O(log n + n / 16) simple steps, and adding at O(log n).
    """

    def __init__(self) -> None:
        self._rows = np.zeros(0, np.int64)
        self._keys = np.zeros(0, np.int64)

    def find(self, column: NDArray[np.int64], key: int) -> NDArray[np.int64]:
        """Return the rows (k,) at which a column (n,) holds a key, in ascending order."""
        n_sorted = len(self._rows)
        if len(column) - n_sorted > max(_SCANNED_ROWS, n_sorted // _SCANNED_SHARE):
            self._sort(column)
            n_sorted = len(self._rows)
        first, last = self._keys.searchsorted([key, key + 1])
        beyond = (column[n_sorted:] == key).nonzero()[0] + n_sorted
        return np.concatenate([self._rows[first:last], beyond])

    def _sort(self, column: NDArray[np.int64]) -> None:
        self._rows = column.argsort(kind="stable")
        self._keys = column[self._rows]
