"""What is known in many campaigns side by side, and what they have spent: arrays, one row a campaign.

Notation: ``n`` campaigns, ``S`` scenarios, ``N`` configurations in ``W`` words of bits, ``F`` functions,
``V = 3 + 2 F`` values of a measurement.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.budget import Budgets
from peva_env.campaign.offline import OfflineSettings
from peva_env.inference import (
    OVERLOADED_LABEL,
    RateGrid,
    Reach,
    contains,
    counted,
    no_sets,
    packed,
    unpacked,
)
from peva_env.observation import N_RUN_VALUES, Observation
from peva_env.sources import Outcomes
from peva_env.space import ConfigSpace

type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]


class CampaignState:
    """The state of ``n`` campaigns; ``recorded`` (S, N) says what can be measured in each scenario."""

    def __init__(self, n: int, space: ConfigSpace, recorded: Flags, settings: OfflineSettings) -> None:
        grid = RateGrid(space)
        n_functions = len(space.functions)
        self._size = space.n_configs
        self.rates_rps = np.ascontiguousarray(grid.rates_rps.T)  # (N, F)
        self._recorded = packed(recorded)  # (S, W)
        self._n_recorded = counted(self._recorded)  # (S,)
        # Unknown is what is recorded and not known.
        self._unknown, self._ok, self._overloaded = (no_sets(n, space.n_configs) for _ in range(3))
        self.n_unknown, self.n_configs = np.zeros(n, np.int64), np.zeros(n, np.int64)  # n_configs: recorded
        self.n_resolved = np.zeros(n, np.int64)  # by the last step
        self.budgets = Budgets(n, settings.budget())
        self.cost_s = np.zeros(n)  # of the last step
        self._last_run = np.full(n, space.n_configs)  # which configuration; one beyond them where none ran
        self._last_values = np.zeros((n, N_RUN_VALUES + 2 * n_functions), np.float32)
        self._last_mask = np.zeros(self._last_values.shape, np.int8)
        self._reach = Reach(grid, settings.dominance)
        self._level_shares = np.vstack([grid.level_shares, np.zeros_like(grid.level_shares[:1])])  # (N + 1, F)

    def begin(self, where: Numbers, scenarios: Numbers) -> None:
        """Begin campaigns at some rows (k,), of these scenarios."""
        for blank in (self.n_resolved, self.cost_s, self._ok, self._overloaded, self._last_values, self._last_mask):
            blank[where] = 0
        self.budgets.begin(where)
        self._unknown[where] = self._recorded.take(scenarios, axis=0)
        self.n_unknown[where] = self.n_configs[where] = self._n_recorded.take(scenarios)
        self._last_run[where] = self._size

    def is_unknown(self, actions: Numbers) -> Flags:
        """Return whether what the actions ask for can be measured and is unknown, (n,)."""
        return contains(self._unknown, actions)

    def mask(self, rows: Any = slice(None)) -> NDArray[np.int8]:
        """Return 1 for what can be measured and is unknown in some campaigns, 0 elsewhere, (k, N)."""
        return unpacked(self._unknown[rows], self._size)

    def measure(self, actions: Numbers, legal: Flags, outcomes: Outcomes) -> None:
        """Enter the outcomes of legal actions; their arrays are the state's own from then on."""
        self._infer(actions, outcomes.labels * legal)
        np.multiply(outcomes.cost_s, legal, out=self.cost_s)
        self.budgets.spend(legal, self.cost_s)
        others = (~legal).nonzero()[0]
        self._last_run = np.where(legal, actions, self._last_run)
        self._last_values = _kept(self._last_values, outcomes.values, others)
        self._last_mask = _kept(self._last_mask, outcomes.mask, others)

    def _infer(self, actions: Numbers, labels: NDArray[np.int8]) -> None:
        """Label what became known."""
        fresh = self._reach.find(actions, labels)
        fresh &= self._unknown
        self._unknown ^= fresh
        overloaded = fresh * (labels == OVERLOADED_LABEL)[:, None]
        self._overloaded |= overloaded
        self._ok |= fresh ^ overloaded
        self.n_resolved = counted(fresh)
        self.n_unknown -= self.n_resolved

    def _map(self, rows: Any) -> NDArray[np.int8]:
        """Return the labels in some campaigns, (k, N)."""
        labels = unpacked(self._overloaded[rows], self._size)
        labels -= unpacked(self._ok[rows], self._size)
        return labels

    def observation(self, rows: Any = slice(None)) -> Observation:
        """Return what is known now in some campaigns, copied."""
        return {
            "budget": self.budgets.left[:, rows].T.astype(np.float32, order="C"),
            "last_config": self._level_shares.take(self._last_run[rows], axis=0),
            "last_mask": self._last_mask[rows].copy(),
            "last_measurement": self._last_values[rows].copy(),
            "map": self._map(rows),
            "progress": (1 - self.n_unknown[rows] / self.n_configs[rows]).astype(np.float32)[:, None],
        }


def _kept(old: NDArray[Any], fresh: NDArray[Any], others: Numbers) -> NDArray[Any]:
    """Return what is fresh, with others' rows as they were: these are fewer than those that would be copied."""
    fresh[others] = old[others]
    return fresh
