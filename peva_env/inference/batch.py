"""What measured configurations tell of in many campaigns side by side, as bit sets.

Notation: ``n`` campaigns, ``N`` configurations in ``W`` words of bits.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference.bitsets import Bits, no_sets, packed, singletons
from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid
from peva_env.space import Dominance

type Numbers = NDArray[np.int64]

_ROW_CELLS = 2**27
"""Most bits of rows that are worked out beforehand: 16 MiB."""


class _Property:
    """Which configurations a measured one can tell of, as far as one property goes: a function's rate, or the set.

    For each code that the property can have there are three rows (W,): of what a configuration with that code can tell
    if it is OK, unknown (nothing) or overloaded. Where these would be too many, codes are compared.
    """

    def __init__(self, codes: Numbers, below: np.ufunc, above: np.ufunc) -> None:
        self._codes = codes.astype(np.int32)  # (N,), from 0
        self._below, self._above = below, above
        self._rows: Bits | None = None  # (3 x codes, W)
        n_codes = int(codes.max()) + 1
        if 3 * n_codes * len(codes) <= _ROW_CELLS:
            every = np.arange(n_codes)[:, None]
            of_ok, of_overloaded = packed(below(codes, every)), packed(above(codes, every))
            self._rows = np.stack([of_ok, np.zeros_like(of_ok), of_overloaded], axis=1).reshape(3 * n_codes, -1)
            self._middles = 3 * codes + 1  # (N,): where the middle one of a configuration's three rows is

    def told(self, actions: Numbers, labels: Numbers) -> Bits:
        """Return what configurations (n,) with these labels can tell of, (n, W)."""
        if self._rows is not None:
            return self._rows.take(self._middles.take(actions) + labels, axis=0)
        told = no_sets(len(actions), len(self._codes))
        for label, compare in ((OK_LABEL, self._below), (OVERLOADED_LABEL, self._above)):
            rows = (labels == label).nonzero()[0]
            told[rows] = packed(compare(self._codes, self._codes.take(actions[rows])[:, None]))
        return told


class Reach:
    """Which configurations a measured one tells of: those on which all properties agree."""

    def __init__(self, grid: RateGrid, dominance: Dominance) -> None:
        codes = [np.unique(rates_rps, return_inverse=True)[1] for rates_rps in grid.rates_rps]
        self._properties = [_Property(of_rates, np.less_equal, np.greater_equal) for of_rates in codes]
        if dominance != "two_sided" and grid.sets.any():
            self._properties.append(_Property(grid.sets.astype(np.int64), np.equal, np.equal))
        self._ok_tells_of_itself_only = dominance == "one_sided"
        self._n_configs = len(grid.sets)

    def find(self, actions: Numbers, labels: NDArray[np.int8]) -> Bits:
        """Return what measured configurations (n,) tell of, (n, W); nothing where the label is that of unknown."""
        telling = labels.astype(np.int64)
        if self._ok_tells_of_itself_only:
            telling = np.maximum(telling, UNKNOWN_LABEL)
        first, *others = self._properties
        reached = first.told(actions, telling)
        for other in others:
            reached &= other.told(actions, telling)
        if self._ok_tells_of_itself_only:
            reached |= singletons(actions, self._n_configs) * (labels == OK_LABEL)[:, None]
        return reached
