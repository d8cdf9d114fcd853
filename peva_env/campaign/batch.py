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
    OK_LABEL,
    OVERLOADED_LABEL,
    UNKNOWN_LABEL,
    Bits,
    RateGrid,
    contains,
    counted,
    no_sets,
    packed,
    singletons,
    unpacked,
)
from peva_env.observation import N_RUN_VALUES, Observation
from peva_env.sources import Outcomes
from peva_env.space import ConfigSpace, Dominance

MAX_TABLE_BITS = 2**27
"""Largest precomputed table of a property, one bit per configuration and row: 16 MiB."""

type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]


class _Property:
    """One condition of dominance, on a function's rate or on the set of functions.

    Each value of the property has a *code*. A precomputed table has three rows (W,) for each code: the configurations
    that meet the condition if the measured configuration is OK, unknown (none) or overloaded. If the table would
    have more than ``max_table_bits``, codes are compared at each call instead.
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
    """Infers the configurations that share a measured configuration's verdict: those that meet all conditions."""

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
        self.n_resolved = counted(fresh)
        self.n_unknown -= self.n_resolved

    def _map(self, rows: Any) -> NDArray[np.int8]:
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
            "map": self._map(rows),
            "progress": (1 - self.n_unknown[rows] / self.n_configs[rows]).astype(np.float32)[:, None],
        }


def _with_old_rows(new: NDArray[Any], old: NDArray[Any], rows: Numbers) -> NDArray[Any]:
    """Return ``new`` with ``rows`` of ``old``: usually few rows, so that little is copied."""
    new[rows] = old[rows]
    return new
