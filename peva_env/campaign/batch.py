"""The maps and budgets of many campaigns side by side: arrays with one row per campaign.

Notation: ``n`` campaigns, ``S`` scenarios, ``N`` configurations in ``W`` words of bits, ``F`` functions,
``V = 3 + 2 F`` values of a measurement.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign.budget import Budgets
from peva_env.campaign.offline import OfflineSettings
from peva_env.campaign.tally import Tally
from peva_env.inference import (
    OK_LABEL,
    OVERLOADED_LABEL,
    UNKNOWN_LABEL,
    MonotoneMap,
    RateGrid,
    Reach,
    contains,
    counted,
    no_sets,
    packed,
    unpacked,
)
from peva_env.observation import N_RUN_VALUES, Observation, RunHistory, latency_s
from peva_env.sources import Outcomes
from peva_env.space import ConfigSpace

type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]


class CampaignState:
    """The state of ``n`` campaigns; ``recorded`` (S, N) is true where a scenario's configuration can be measured."""

    def __init__(self, n: int, space: ConfigSpace, recorded: Flags, settings: OfflineSettings) -> None:
        grid, again = RateGrid(space), settings.actions.measure_again
        self._space = space
        n_functions = len(space.functions)
        self._size = space.n_configs
        self._every = np.arange(space.n_configs)
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
        self.last_labels = np.zeros(n, np.int8)  # the verdicts of the last step's runs, 0 without a run
        self._runs = RunHistory(n, settings.extras.n_runs, n_functions)
        self._has_coordinates = settings.extras.coordinates
        self._mean_s = np.zeros((n, n_functions), np.float32) if settings.extras.mean_latency else None
        self._reach = Reach(grid, settings.dominance)
        self._grid, self._dominance = grid, settings.dominance
        self._of_scenario = recorded  # (S, N)
        # Contradictions, which only measuring again can cause, are found campaign by campaign.
        self._tallies: list[Tally] | None = [self._new_tally(0) for _ in range(n)] if again else None
        self._legal = no_sets(n, space.n_configs) if again else self._unknown
        self._level_shares = np.vstack([grid.level_shares, np.zeros_like(grid.level_shares[:1])])  # (N + 1, F)

    def begin(self, where: Numbers, scenarios: Numbers) -> None:
        """Begin campaigns at rows ``where`` (k,), of ``scenarios`` (k,)."""
        for blank in (self.n_resolved, self.cost_s, self._ok, self._overloaded, self._last_values, self._last_mask):
            blank[where] = 0
        self.budgets.begin(where)
        self._runs.begin(where)
        if self._mean_s is not None:
            self._mean_s[where] = 0
        self._unknown[where] = self._legal[where] = self._recorded.take(scenarios, axis=0)
        if self._tallies is not None:
            for row, scenario in zip(where.tolist(), scenarios.tolist(), strict=True):
                self._tallies[row] = self._new_tally(scenario)
        self.n_unknown[where] = self.n_configs[where] = self._n_recorded.take(scenarios)
        self._last_run[where] = self._size

    def is_legal(self, actions: Numbers) -> Flags:
        """Return whether the configuration of each action would be run, (n,)."""
        return contains(self._legal, actions)

    def mask(self, rows: Any = slice(None)) -> NDArray[np.int8]:
        """Return 1 for configurations that can be measured and are unknown or measured again, 0 elsewhere, (k, N)."""
        return unpacked(self._legal[rows], self._size)

    def iterations(self, actions: Numbers) -> int | Numbers:
        """Return how often the configuration of each action was measured, (n,), or 0 for all."""
        if self._tallies is None:
            return 0
        pairs = zip(self._tallies, actions.tolist(), strict=True)
        return np.array([tally.n_measurements(action) for tally, action in pairs])

    def labels_of(self, indices: Numbers, rows: Any = slice(None)) -> NDArray[np.int8]:
        """Return the label of one configuration of each campaign in ``rows``, (k,)."""
        overloaded, ok = contains(self._overloaded[rows], indices), contains(self._ok[rows], indices)
        return overloaded.astype(np.int8) - ok.astype(np.int8)

    def measure(self, actions: Numbers, legal: Flags, outcomes: Outcomes) -> None:
        """Enter the outcomes of legal actions. The state takes over the arrays of ``outcomes`` and changes them."""
        if self._tallies is None:
            self._infer(actions, outcomes.labels * legal)
        else:
            self._infer_one_by_one(self._tallies, actions, legal, outcomes.labels)
        self.last_labels = outcomes.labels * legal
        np.multiply(outcomes.cost_s, legal, out=self.cost_s)
        self.budgets.spend(legal, self.cost_s)
        unmeasured = (~legal).nonzero()[0]
        self._last_run = np.where(legal, actions, self._last_run)
        self._last_values = _with_old_rows(outcomes.values, self._last_values, unmeasured)
        self._last_mask = _with_old_rows(outcomes.mask, self._last_mask, unmeasured)
        if self._mean_s is not None:
            self._mean_s = _with_old_rows(latency_s(outcomes.mean_ms), self._mean_s, unmeasured)
        rows = legal.nonzero()[0]
        self._runs.add(rows, self._level_shares[actions[rows]], self._last_values[rows], self._last_mask[rows])

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

    def _infer_one_by_one(self, tallies: list[Tally], actions: Numbers, legal: Flags, labels: NDArray[np.int8]) -> None:
        """Enter measurements of known configurations, too; ``labels`` (n,) become those of the majority."""
        self._newly[:] = 0
        self.n_resolved[:] = 0
        for row in legal.nonzero()[0].tolist():
            tally = tallies[row]
            labels[row], newly = tally.enter(int(actions[row]), int(labels[row]))
            found, known = tally.known.labels, tally.known
            assert found is not None  # noqa: S101 - side by side, all spaces have labels
            sets = [found == UNKNOWN_LABEL, found == OK_LABEL, found == OVERLOADED_LABEL, np.isin(self._every, newly)]
            unknown, self._ok[row], self._overloaded[row], self._newly[row] = packed(np.array(sets))
            self._unknown[row] = unknown & self._legal[row]
            self.n_resolved[row], self.n_unknown[row] = len(newly), known.n_unknown

    def _new_tally(self, scenario: int) -> Tally:
        recorded = self._of_scenario[scenario]
        return Tally(MonotoneMap(self._space, dominance=self._dominance, grid=self._grid, recorded=recorded))

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
        observation = {
            "budget": self.budgets.left[:, rows].T.astype(np.float32, order="C"),
            "last_config": self._level_shares.take(self._last_run[rows], axis=0),
            "last_mask": self._last_mask[rows].copy(),
            "last_measurement": self._last_values[rows].copy(),
            "map": self.map(rows),
            "progress": (1 - self.n_unknown[rows] / self.n_configs[rows]).astype(np.float32)[:, None],
        } | self._runs.observation(rows)
        if self._has_coordinates:
            observation["coordinates"] = np.tile(self._level_shares[:-1], (len(observation["map"]), 1, 1))
        if self._mean_s is not None:
            observation["last_mean_latency"] = self._mean_s[rows].copy()
        return dict(sorted(observation.items()))


def _with_old_rows(new: NDArray[Any], old: NDArray[Any], rows: Numbers) -> NDArray[Any]:
    """Return ``new`` with ``rows`` of ``old``: usually few rows, so that little is copied."""
    new[rows] = old[rows]
    return new
