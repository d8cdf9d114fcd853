"""Measured labels, and the contradictions between them.

Under two-sided dominance no OK configuration may lie above an overloaded one. If two measurements show such a pair, one
of them is wrong, and nothing is inferred from either. Both configurations, and all configurations between them, are
*contradicted* until one of the two is measured again with another verdict, or until both are in quarantine.

A measurement in quarantine has its own label again, but implies no other label. It still contradicts measurements
outside quarantine, so that a measurement is never believed only because it came first. The quarantine of a measurement
ends when its contradiction ends.

One-sided dominance has no contradictions, unless the map ``doubts``: a measured label outranks an inferred one.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, RateGrid
from peva_env.space import Dominance


class Evidence:
    """Measured labels by the index of their configuration."""

    def __init__(self, grid: RateGrid, dominance: Dominance) -> None:
        self.labels: dict[int, int] = {}
        self.contradicting: list[tuple[int, int]] = []  # pairs: an overloaded one, and an OK one with no lower rate
        self.contradicted = np.zeros(grid.rates_rps.shape[1], np.bool_)  # (N,): both of a pair, and all between them
        self.ever_contradicting: set[tuple[int, int]] = set()
        self._quarantined: set[int] = set()
        self._grid = grid
        self._dominance: Dominance = dominance

    def quarantine(self, index: int) -> None:
        """Put a contradicted measurement in quarantine."""
        self._quarantined.add(index)

    def forget(self, indices: Iterable[int]) -> None:
        """Drop all labels, so that those that still hold can be entered again, and end the quarantine of some."""
        self._quarantined.difference_update(indices)
        self.labels.clear()
        self.contradicting = []
        self.contradicted[:] = False

    def disputed(self) -> list[int]:
        """Return contradicted measurements outside quarantine, in plan order."""
        return sorted(set().union(*self.contradicting) - self._quarantined)

    def quarantined(self) -> list[int]:
        """Return the measurements of contradictions with both sides in quarantine, in plan order."""
        return sorted({index for pair in self.contradicting if not self.is_open(pair) for index in pair})

    def is_open(self, pair: tuple[int, int]) -> bool:
        """Tell whether at least one side of a contradiction is outside quarantine."""
        return not self._quarantined.issuperset(pair)

    def believed(self, label: int) -> NDArray[np.int64]:
        """Return the uncontradicted measurements with a label, (k,)."""
        doubted = set().union(*self.contradicting)
        return np.array([i for i, found in self.labels.items() if found == label and i not in doubted], np.int64)

    def proof(self, label: int) -> NDArray[np.int64]:
        """Return the antichain of a label's measurements, (k,): the lowest overloaded, or the highest OK ones."""
        return self._grid.extremes(self.believed(label), label, self._dominance)

    def look_for_contradictions(self) -> None:
        """Recompute all contradictions."""
        ok = np.array([i for i, label in self.labels.items() if label == OK_LABEL], np.int64)
        self.contradicting = []
        for index, label in self.labels.items():
            if label == OVERLOADED_LABEL:
                above = ok[self._grid.reached(index, OVERLOADED_LABEL, ok, self._dominance)]
                self.contradicting += [(index, int(one)) for one in above]
        self.contradicting.sort()
        self.ever_contradicting.update(self.contradicting)
        self.contradicted[:] = False
        for low, high in filter(self.is_open, self.contradicting):
            scope = self._grid.scope(low, self._dominance)
            above_low = self._grid.reached(low, OVERLOADED_LABEL, scope, self._dominance)
            self.contradicted[scope] |= above_low & self._grid.reached(high, OK_LABEL, scope, self._dominance)
        self.contradicted[list(self._quarantined)] = False
