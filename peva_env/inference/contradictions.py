"""What was measured, and which of it to believe.

Under two-sided dominance an OK configuration must not lie above an overloaded one. Where two measurements say so, one
of them is wrong, and nothing is inferred from either: both, and all that lies between them, are *contradicted*, until
one is measured again and turns out otherwise, or both are put in quarantine. In quarantine a measurement has its own
label again, but tells of nothing else, and goes on to doubt what contradicts it until that is in quarantine, too:
neither of two is believed because the other one was looked at first. Where the contradiction is gone, so is the
quarantine. One-sided dominance knows no contradictions: what was measured outranks what is inferred, and that is all.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, RateGrid
from peva_env.space import Dominance


class Evidence:
    """Measured labels by the index of their configuration."""

    def __init__(self, grid: RateGrid, dominance: Dominance) -> None:
        self.labels: dict[int, int] = {}
        self.contradicting: list[tuple[int, int]] = []  # an overloaded one, and an OK one that has no lower rate
        self.contradicted = np.zeros(grid.rates_rps.shape[1], np.bool_)  # (N,): these, and what lies between them
        self.ever_contradicting: set[tuple[int, int]] = set()
        self._quarantined: set[int] = set()
        self._grid = grid
        self._dominance: Dominance = dominance

    def quarantine(self, index: int) -> None:
        """Let a contradicted measurement stand for itself."""
        self._quarantined.add(index)

    def disputed(self) -> list[int]:
        """Return what is contradicted and not in quarantine, in plan order."""
        return sorted(set().union(*self.contradicting) - self._quarantined)

    def quarantined(self) -> list[int]:
        """Return those of which both of two that contradict each other are in quarantine, in plan order."""
        return sorted({index for pair in self.contradicting if not self.is_open(pair) for index in pair})

    def is_open(self, pair: tuple[int, int]) -> bool:
        """Tell whether one of two that contradict each other is not in quarantine."""
        return not self._quarantined.issuperset(pair)

    def believed(self, label: int) -> NDArray[np.int64]:
        """Return what was measured with a label, and is not contradicted, (k,)."""
        doubted = set().union(*self.contradicting)
        return np.array([i for i, found in self.labels.items() if found == label and i not in doubted], np.int64)

    def proof(self, label: int) -> NDArray[np.int64]:
        """Return those from which all others with this label follow, (k,): the lowest overloaded, or the highest OK."""
        return self._grid.extremes(self.believed(label), label, self._dominance)

    def look_for_contradictions(self) -> None:
        """Find out anew what contradicts what."""
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
