"""What is known in many campaigns side by side, and what they have spent: arrays, one row a campaign.

Notation: ``n`` campaigns, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values of a measurement.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.frontier import OK_LABEL, UNKNOWN_LABEL, RateGrid
from peva_env.observation import N_RUN_VALUES, Observation, level_shares
from peva_env.offline import OfflineSettings
from peva_env.sources.episodes import Outcomes
from peva_env.space import ConfigSpace

type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]


class Reach:
    """Which configurations a measured one tells of, looked up by rows.

    For each function and each of its rates a row (N,) says which configurations have no lower rate of it, and another
    one which have no higher; what a measurement reaches is where all functions' rows agree.
    """

    def __init__(self, grid: RateGrid, *, one_sided: bool) -> None:
        self._rows: list[Flags] = []  # of each function: (2 x rates, N)
        self._codes: list[Numbers] = []  # of each function: its rate's number in each configuration, (N,)
        for rates_rps in grid.rates_rps:
            rates, codes = np.unique(rates_rps, return_inverse=True)
            self._rows.append(np.concatenate([rates_rps >= rates[:, None], rates_rps <= rates[:, None]]))
            self._codes.append(codes)
        self._sets = grid.sets
        self._one_sided = one_sided
        self._configs = np.arange(len(grid.sets))

    def of(self, actions: Numbers, is_ok: Flags) -> Flags:
        """Return what the measured configurations (n,) tell of: (n, N)."""
        reached: Flags | None = None
        for rows, codes in zip(self._rows, self._codes, strict=True):
            found = rows[codes[actions] + is_ok * (len(rows) // 2)]
            reached = found if reached is None else np.logical_and(reached, found, out=reached)
        assert reached is not None  # noqa: S101 - a space has at least one function
        if self._one_sided:
            reached &= self._sets == self._sets[actions, None]
            reached &= ~is_ok[:, None] | (self._configs == actions[:, None])
        return reached


class CampaignState:
    """The state of ``n`` campaigns."""

    def __init__(self, n: int, space: ConfigSpace, settings: OfflineSettings) -> None:
        grid = RateGrid(space)
        n_configs, n_functions = space.n_configs, len(space.functions)
        self.rates_rps = np.ascontiguousarray(grid.rates_rps.T)  # (N, F)
        self.scenarios = np.zeros(n, np.int64)
        self.unknown = np.zeros((n, n_configs), np.bool_)  # recorded and not known
        self.n_unknown = np.zeros(n, np.int64)
        self.n_configs = np.zeros(n, np.int64)  # recorded
        self.n_resolved = np.zeros(n, np.int64)  # by the last step
        self.cost_s = np.zeros(n)  # of the last step
        self.labels_measured = np.zeros(n, np.int8)  # by the last step
        self.spent_steps = np.zeros(n, np.int64)
        self._labels = np.zeros((n, n_configs), np.int8)
        self._last_config = np.zeros((n, n_functions), np.float32)
        self._last_values = np.zeros((n, N_RUN_VALUES + 2 * n_functions), np.float32)
        self._last_mask = np.zeros(self._last_values.shape, np.int8)
        self._spent_runs = np.zeros(n, np.int64)
        self._spent_s = np.zeros(n)
        self._settings = settings
        self._reach = Reach(grid, one_sided=settings.dominance == "one_sided")
        self._shares = np.stack([level_shares(space, index) for index in range(n_configs)])
        self._rows = np.arange(n)

    def begin(self, where: Numbers, scenarios: Numbers, recorded: Flags) -> None:
        """Begin campaigns at some rows (k,); ``recorded`` (k, N) says what can be measured in them."""
        self.scenarios[where] = scenarios
        self.unknown[where] = recorded
        self.n_unknown[where] = self.n_configs[where] = recorded.sum(axis=1)
        for blank in (self._labels, self._last_config, self._last_values, self._last_mask):
            blank[where] = 0
        for spent in (self.spent_steps, self._spent_runs, self._spent_s, self.n_resolved, self.cost_s):
            spent[where] = 0
        self.labels_measured[where] = 0

    def is_unknown(self, actions: Numbers) -> Flags:
        """Return whether what the actions ask for can be measured and is unknown, (n,)."""
        return self.unknown[self._rows, actions]

    def measure(self, actions: Numbers, legal: Flags, outcomes: Outcomes) -> None:
        """Enter the outcomes of legal actions."""
        labels = np.where(legal, outcomes.labels, np.int8(UNKNOWN_LABEL))
        fresh = self._reach.of(actions, labels == OK_LABEL)
        fresh &= self._labels == UNKNOWN_LABEL
        np.add(self._labels, fresh * labels[:, None], out=self._labels)
        fresh &= legal[:, None]
        self.unknown &= np.logical_not(fresh, out=fresh)
        n_unknown = self.unknown.sum(axis=1, dtype=np.uint32)
        self.n_resolved = self.n_unknown - n_unknown
        self.n_unknown = n_unknown.astype(np.int64)
        self.labels_measured = labels
        self.cost_s = np.where(legal, outcomes.cost_s, 0.0)
        self._spent_runs += legal
        self._spent_s += self.cost_s
        where = legal[:, None]
        np.copyto(self._last_config, self._shares[actions], where=where)
        np.copyto(self._last_values, outcomes.values, where=where)
        np.copyto(self._last_mask, outcomes.mask, where=where)

    def left(self) -> NDArray[np.float64]:
        """Return the share of the budget that is left, (n,)."""
        return np.minimum(*self._shares_left())

    def exhausted(self) -> Flags:
        """Return whether nothing more may be started, (n,)."""
        steps = self._settings.max_steps
        spent: Flags = self.left() == 0.0
        return spent if steps is None else spent | (self.spent_steps >= steps)

    def observation(self) -> Observation:
        """Return what is known now, copied."""
        return {
            "budget": np.stack(self._shares_left(), axis=1).astype(np.float32),
            "last_config": self._last_config.copy(),
            "last_mask": self._last_mask.copy(),
            "last_measurement": self._last_values.copy(),
            "map": self._labels.copy(),
            "progress": (1 - self.n_unknown / self.n_configs).astype(np.float32)[:, None],
        }

    def _shares_left(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        runs = _share_left(self._spent_runs, self._settings.budget_runs)
        return runs, _share_left(self._spent_s, self._settings.budget_seconds)


def _share_left(spent: NDArray[np.int64] | NDArray[np.float64], limit: float | None) -> NDArray[np.float64]:
    return np.ones(len(spent)) if limit is None else np.maximum(0.0, 1 - spent / limit)
