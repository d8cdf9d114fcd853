"""The maps and budgets of many campaigns side by side: arrays with one row per campaign.

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
    """The state of ``n`` campaigns; ``recorded`` (S, N) is true where a scenario's configuration can be measured."""

    def __init__(self, n: int, space: ConfigSpace, recorded: Flags, settings: OfflineSettings) -> None:
        grid = RateGrid(space)
        n_functions = len(space.functions)
        self._size = space.n_configs
        self.rates_rps = np.ascontiguousarray(grid.rates_rps.T)  # (N, F)
        self._recorded = packed(recorded)  # (S, W)
        self._n_recorded = counted(self._recorded)  # (S,)
        # Unknown: recorded, and neither OK nor overloaded.
        self._unknown, self._ok, self._overloaded = (no_sets(n, space.n_configs) for _ in range(3))
        self.n_unknown, self.n_configs = np.zeros(n, np.int64), np.zeros(n, np.int64)  # n_configs: recorded
        self.n_resolved = np.zeros(n, np.int64)  # by the last step
        self._newly = no_sets(n, space.n_configs)  # known by the last step
        self.budgets = Budgets(n, settings.budget())
        self.cost_s = np.zeros(n)  # of the last step
        self._last_run = np.full(n, space.n_configs)  # index of a configuration; N before the first run
        self._last_values = np.zeros((n, N_RUN_VALUES + 2 * n_functions), np.float32)
        self._last_mask = np.zeros(self._last_values.shape, np.int8)
        self._reach = Reach(grid, settings.dominance)
        self._level_shares = np.vstack([grid.level_shares, np.zeros_like(grid.level_shares[:1])])  # (N + 1, F)

    def begin(self, where: Numbers, scenarios: Numbers) -> None:
        """Begin campaigns at rows ``where`` (k,), of ``scenarios`` (k,)."""
        for blank in (self.n_resolved, self.cost_s, self._ok, self._overloaded, self._last_values, self._last_mask):
            blank[where] = 0
        self.budgets.begin(where)
        self._unknown[where] = self._recorded.take(scenarios, axis=0)
        self.n_unknown[where] = self.n_configs[where] = self._n_recorded.take(scenarios)
        self._last_run[where] = self._size

    def is_unknown(self, actions: Numbers) -> Flags:
        """Return whether the configuration of each action can be measured and is unknown, (n,)."""
        return contains(self._unknown, actions)

    def mask(self, rows: Any = slice(None)) -> NDArray[np.int8]:
        """Return 1 for configurations that can be measured and are unknown, 0 elsewhere, (k, N)."""
        return unpacked(self._unknown[rows], self._size)

    def measure(self, actions: Numbers, legal: Flags, outcomes: Outcomes) -> None:
        """Enter the outcomes of legal actions. The state takes over the arrays of ``outcomes`` and changes them."""
        self._infer(actions, outcomes.labels * legal)
        np.multiply(outcomes.cost_s, legal, out=self.cost_s)
        self.budgets.spend(legal, self.cost_s)
        unmeasured = (~legal).nonzero()[0]
        self._last_run = np.where(legal, actions, self._last_run)
        self._last_values = _with_old_rows(outcomes.values, self._last_values, unmeasured)
        self._last_mask = _with_old_rows(outcomes.mask, self._last_mask, unmeasured)

    def _infer(self, actions: Numbers, labels: NDArray[np.int8]) -> None:
        """Label the configurations that became known."""
        fresh = self._reach.find(actions, labels)
        fresh &= self._unknown
        self._unknown ^= fresh
        overloaded = fresh * (labels == OVERLOADED_LABEL)[:, None]
        self._overloaded |= overloaded
        self._ok |= fresh ^ overloaded
        self._newly, self.n_resolved = fresh, counted(fresh)
        self.n_unknown -= self.n_resolved

    def newly(self, rows: Any) -> Flags:
        """Return which configurations became known by the last step, (k, N)."""
        return unpacked(self._newly[rows], self._size).view(np.bool_)

    def map(self, rows: Any) -> NDArray[np.int8]:
        """Return the labels of campaigns ``rows``, (k, N)."""
        labels = unpacked(self._overloaded[rows], self._size)
        labels -= unpacked(self._ok[rows], self._size)
        return labels

    def observation(self, rows: Any = slice(None)) -> Observation:
        """Return the observations of campaigns ``rows``, copied."""
        return {
            "budget": self.budgets.left[:, rows].T.astype(np.float32, order="C"),
            "last_config": self._level_shares.take(self._last_run[rows], axis=0),
            "last_mask": self._last_mask[rows].copy(),
            "last_measurement": self._last_values[rows].copy(),
            "map": self.map(rows),
            "progress": (1 - self.n_unknown[rows] / self.n_configs[rows]).astype(np.float32)[:, None],
        }


def _with_old_rows(new: NDArray[Any], old: NDArray[Any], rows: Numbers) -> NDArray[Any]:
    """Return ``new`` with ``rows`` of ``old``: usually few rows, so that little is copied."""
    new[rows] = old[rows]
    return new
