"""The runs of each configuration in an offline campaign, which decide its verdict by majority."""

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.campaign import quarantine_finished
from peva_env.inference import LABELS, VERDICTS, MonotoneMap
from peva_env.rules import majority
from peva_env.space import Config

_ENOUGH = 2
"""Measurements after which a contradicted configuration goes into quarantine, as in a live campaign."""


class Tally:
    """The labels of all measurements of one campaign; ``known`` is its map."""

    def __init__(self, known: MonotoneMap) -> None:
        self.known = known
        self._labels: dict[int, list[int]] = {}

    def n_measurements(self, index: int) -> int:
        """Return how often a configuration was measured: the iteration of its next measurement."""
        return len(self._labels.get(index, ()))

    def enter(self, index: int, label: int) -> tuple[int, NDArray[np.int64]]:
        """Enter a measurement's label; return the majority label, and the indices that became known."""
        own = self._labels.setdefault(index, [])
        own.append(label)
        verdict = LABELS[majority(VERDICTS[one] for one in own)]
        newly = self.known.enter(index, verdict)
        later = quarantine_finished(self.known, self._is_finished)
        return verdict, np.concatenate([newly, *later]) if later else newly

    def _is_finished(self, config: Config) -> bool:
        return self.n_measurements(self.known.space.index(config)) >= _ENOUGH
