"""Inference in many campaigns side by side, as bit sets.

Notation: ``n`` campaigns, ``N`` configurations in ``W`` words of bits.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference.bitsets import Bits, no_sets, packed, singletons
from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid
from peva_env.space import Dominance

type Numbers = NDArray[np.int64]

MAX_TABLE_BITS = 2**27
"""Largest size of a property's precomputed table, one bit per configuration and row: 16 MiB."""


class _Property:
    """One condition of dominance, on a function's rate or on the set of functions.

    Each value of the property has a *code*. A precomputed table has three rows (W,) per code, for a measured
    configuration that is OK, unknown or overloaded. A row is the set of configurations that meet the condition; the row
    for unknown is empty. If the table would exceed ``max_table_bits``, each call compares the codes instead.
    """

    def __init__(self, codes: Numbers, below: np.ufunc, above: np.ufunc, max_table_bits: int) -> None:
        self._codes = codes.astype(np.int32)  # (N,), from 0
        self._below, self._above = below, above
        self._rows: Bits | None = None  # (3 x codes, W)
        n_codes = int(codes.max()) + 1
        if 3 * n_codes * len(codes) <= max_table_bits:
            every = np.arange(n_codes)[:, None]
            of_ok, of_overloaded = packed(below(codes, every)), packed(above(codes, every))
            self._rows = np.stack([of_ok, np.zeros_like(of_ok), of_overloaded], axis=1).reshape(3 * n_codes, -1)
            self._middles = 3 * codes + 1  # (N,): the middle of the three rows of a configuration

    def reached(self, actions: Numbers, labels: Numbers) -> Bits:
        """Return the configurations that meet the condition for measured configurations (n,), (n, W)."""
        if self._rows is not None:
            return self._rows.take(self._middles.take(actions) + labels, axis=0)
        reached = no_sets(len(actions), len(self._codes))
        for label, compare in ((OK_LABEL, self._below), (OVERLOADED_LABEL, self._above)):
            rows = (labels == label).nonzero()[0]
            reached[rows] = packed(compare(self._codes, self._codes.take(actions[rows])[:, None]))
        return reached


class Reach:
    """Finds the configurations that share a measured configuration's verdict because they meet all conditions."""

    def __init__(self, grid: RateGrid, dominance: Dominance, *, max_table_bits: int = MAX_TABLE_BITS) -> None:
        codes = [np.unique(rates_rps, return_inverse=True)[1] for rates_rps in grid.rates_rps]
        self._properties = [_Property(of_rates, np.less_equal, np.greater_equal, max_table_bits) for of_rates in codes]
        if dominance != "two_sided" and grid.sets.any():
            sets = grid.sets.astype(np.int64)
            self._properties.append(_Property(sets, np.equal, np.equal, max_table_bits))
        self._ok_implies_only_itself = dominance == "one_sided"
        self._n_configs = len(grid.sets)

    def find(self, actions: Numbers, labels: NDArray[np.int8]) -> Bits:
        """Return the configurations with the verdict of measured configurations (n,), (n, W); none for label 0."""
        effective = labels.astype(np.int64)
        if self._ok_implies_only_itself:
            effective = np.maximum(effective, UNKNOWN_LABEL)
        first, *others = self._properties
        reached = first.reached(actions, effective)
        for other in others:
            reached &= other.reached(actions, effective)
        if self._ok_implies_only_itself:
            reached |= singletons(actions, self._n_configs) * (labels == OK_LABEL)[:, None]
        return reached
