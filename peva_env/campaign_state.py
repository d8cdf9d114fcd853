"""What is known in many campaigns side by side, and what they have spent: arrays, one row a campaign.

Notation: ``n`` campaigns, ``N`` configurations, ``F`` functions, ``V = 3 + 2 F`` values of a measurement.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.campaign import NOTHING_LEFT
from peva_env.observation import N_RUN_VALUES, Observation
from peva_env.offline import OfflineSettings
from peva_env.rate_grid import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, Dominance, RateGrid
from peva_env.sources.episodes import Outcomes
from peva_env.space import ConfigSpace

_CELLS_TOGETHER = 2**18
"""So many labels, of as many campaigns as that is, are worked on at once: what stays in a core's cache."""

_JOINED_CELLS = 2**22
"""Up to so many bytes of joined rows: they, too, should stay in the cache."""

_ROW_CELLS = 2**26
"""Up to so many bytes of rows that are not joined."""

type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]


class Reach:
    """Which configurations a measured one tells of.

    For each function and each of its rates a row (N,) says which configurations have no lower rate of it, and another
    one which have no higher; a third reaches nothing. What a measurement reaches is where all functions' rows agree.
    For a small space these are joined beforehand: a row for each configuration and label. For a large one there are no
    rows: rates are compared.
    """

    def __init__(self, grid: RateGrid, dominance: Dominance) -> None:
        self._sides = np.array([1, 2, 0])  # which rows: of OK, of unknown, of overloaded
        self._codes: list[Numbers] = []  # of each function: its rate's number in each configuration, (N,)
        n_rates = []
        for rates_rps in grid.rates_rps:
            rates, codes = np.unique(rates_rps, return_inverse=True)
            self._codes.append(codes)
            n_rates.append(len(rates))
        self._sets = grid.sets
        self._within_sets = dominance != "two_sided"
        self._ok_tells_of_itself_only = dominance == "one_sided"
        self._configs = np.arange(len(grid.sets))
        self._rows: list[Flags] = []  # of each function: (3 x rates, N)
        if 3 * sum(n_rates) * len(self._configs) <= _ROW_CELLS:
            self._rows = [_rows(codes, n) for codes, n in zip(self._codes, n_rates, strict=True)]
        if 3 * len(self._configs) ** 2 <= _JOINED_CELLS:
            self._join()

    def find(self, actions: Numbers, labels: NDArray[np.int8], reached: Flags, work: Flags) -> None:
        """Write what the measured configurations (n,) tell of to ``reached`` (n, N); ``work`` is of the same shape."""
        if self._rows:
            self._look_up(actions, labels, reached, work)
        else:
            self._compare(actions, labels, reached, work)
        if self._within_sets:
            reached &= self._sets == self._sets[actions, None]
        if self._ok_tells_of_itself_only:
            reached &= (labels != OK_LABEL)[:, None] | (self._configs == actions[:, None])

    def _look_up(self, actions: Numbers, labels: NDArray[np.int8], reached: Flags, work: Flags) -> None:
        side = self._sides.take(labels + 1)
        for number, (rows, codes) in enumerate(zip(self._rows, self._codes, strict=True)):
            code = codes.take(actions)
            code += side * (len(rows) // 3)
            rows.take(code, axis=0, out=work if number else reached, mode="clip")
            if number:
                reached &= work

    def _compare(self, actions: Numbers, labels: NDArray[np.int8], reached: Flags, work: Flags) -> None:
        reached[:] = (labels != UNKNOWN_LABEL)[:, None]
        is_ok = (labels == OK_LABEL)[:, None]
        for codes in self._codes:
            # No higher is not higher; no lower is higher than the one before.
            np.greater(codes, codes[actions, None] - ~is_ok, out=work)
            work ^= is_ok
            reached &= work

    def _join(self) -> None:
        n_configs = len(self._configs)
        joined = np.zeros((3 * n_configs, n_configs), np.bool_)
        for label in (OK_LABEL, OVERLOADED_LABEL):
            block = joined[self._sides[label + 1] * n_configs :][:n_configs]
            self.find(self._configs, np.full(n_configs, label, np.int8), block, np.zeros_like(block))
        self._rows, self._codes = [joined], [self._configs]
        self._within_sets = self._ok_tells_of_itself_only = False  # the rows have it in them


def _rows(codes: Numbers, n_rates: int) -> Flags:
    rates = np.arange(n_rates)[:, None]
    return np.concatenate([codes >= rates, codes <= rates, np.zeros((n_rates, len(codes)), np.bool_)])


class CampaignState:
    """The state of ``n`` campaigns."""

    def __init__(self, n: int, space: ConfigSpace, settings: OfflineSettings) -> None:
        grid = RateGrid(space)
        n_configs, n_functions = space.n_configs, len(space.functions)
        self.rates_rps = np.ascontiguousarray(grid.rates_rps.T)  # (N, F)
        self.unknown = np.zeros((n, n_configs), np.bool_)  # recorded and not known
        self._counts = np.zeros((6, n), np.int64)
        self._amounts = np.zeros((2, n))
        self.scenarios, self.n_unknown, self.n_configs = self._counts[:3]  # n_configs: recorded
        self.n_resolved, self.spent_steps, self._spent_runs = self._counts[3:]  # n_resolved: by the last step
        self.cost_s, self._spent_s = self._amounts  # cost_s: of the last step
        self.labels_asked = np.zeros(n, np.int8)  # of what the last step asked for
        self._labels = np.zeros((n, n_configs), np.int8)
        self._last_config = np.zeros((n, n_functions), np.float32)
        self._last_values = np.zeros((n, N_RUN_VALUES + 2 * n_functions), np.float32)
        self._last_mask = np.zeros(self._last_values.shape, np.int8)
        self._shares_left = np.ones((2, n))  # of runs and seconds
        self._settings = settings
        self._reach = Reach(grid, settings.dominance)
        self._level_shares = grid.level_shares
        self._rows = np.arange(n)
        n_together = max(1, min(n, _CELLS_TOGETHER // n_configs))
        self._blocks = [slice(first, min(first + n_together, n)) for first in range(0, n, n_together)]
        self._fresh, self._work = np.zeros((2, n_together, n_configs), np.bool_)
        self._count_kind = np.uint16 if n_configs < 2**16 else np.uint32  # the smaller, the faster

    def begin(self, where: Numbers, scenarios: Numbers, recorded: Flags) -> None:
        """Begin campaigns at some rows (k,); ``recorded`` (k, N) says what can be measured in them."""
        self._counts[:, where] = 0
        self._amounts[:, where] = 0
        self._shares_left[:, where] = 1
        self.scenarios[where] = scenarios
        self.unknown[where] = recorded
        self.n_unknown[where] = self.n_configs[where] = recorded.sum(axis=1, dtype=self._count_kind)
        for blank in (self._labels, self._last_config, self._last_values, self._last_mask, self.labels_asked):
            blank[where] = 0

    def is_unknown(self, actions: Numbers) -> Flags:
        """Return whether what the actions ask for can be measured and is unknown, (n,)."""
        return self.unknown[self._rows, actions]

    def measure(self, actions: Numbers, legal: Flags, outcomes: Outcomes) -> None:
        """Enter the outcomes of legal actions."""
        labels = outcomes.labels * legal
        for block in self._blocks:
            self.n_resolved[block] = self._infer(block, actions[block], labels[block])
        self.n_unknown -= self.n_resolved
        self.labels_asked[:] = self._labels[self._rows, actions]
        np.multiply(outcomes.cost_s, legal, out=self.cost_s)
        self._spent_runs += legal
        self._spent_s += self.cost_s
        self._count_left()
        ran: Any = slice(None) if legal.all() else legal.nonzero()[0]
        self._last_config[ran] = self._level_shares.take(actions[ran], axis=0)
        self._last_values[ran] = outcomes.values[ran]
        self._last_mask[ran] = outcomes.mask[ran]

    def _infer(self, block: slice, actions: Numbers, labels: NDArray[np.int8]) -> NDArray[Any]:
        """Label what became known in some campaigns, and return how many configurations that are in each."""
        fresh, work = self._fresh[: len(actions)], self._work[: len(actions)]
        self._reach.find(actions, labels, fresh, work)
        fresh &= self.unknown[block]
        self.unknown[block] ^= fresh
        self._labels[block] += np.multiply(fresh.view(np.int8), labels[:, None], out=work.view(np.int8))
        return fresh.sum(axis=1, dtype=self._count_kind)

    def _count_left(self) -> None:
        settings = self._settings
        _share_left(self._spent_runs, settings.budget_runs, self._shares_left[0])
        _share_left(self._spent_s, settings.budget_seconds, self._shares_left[1])

    def left(self) -> NDArray[np.float64]:
        """Return the share of the budget that is left, (n,)."""
        return self._shares_left.min(axis=0)

    def exhausted(self, left: NDArray[np.float64]) -> Flags:
        """Return whether nothing more may be started, (n,), with this share of the budget left."""
        steps = self._settings.max_steps
        spent: Flags = left == 0.0
        if steps is not None:
            spent |= self.spent_steps >= steps
        return spent

    def observation(self, rows: Any = slice(None)) -> Observation:
        """Return what is known now in some campaigns, copied."""
        return {
            "budget": self._shares_left[:, rows].T.astype(np.float32, order="C"),
            "last_config": self._last_config[rows].copy(),
            "last_mask": self._last_mask[rows].copy(),
            "last_measurement": self._last_values[rows].copy(),
            "map": self._labels[rows].copy(),
            "progress": (1 - self.n_unknown[rows] / self.n_configs[rows]).astype(np.float32)[:, None],
        }


def _share_left(spent: NDArray[np.int64] | NDArray[np.float64], limit: float | None, left: NDArray[np.float64]) -> None:
    if limit is not None:
        np.divide(spent, limit, out=left)
        np.subtract(1, left, out=left)
        left[left <= NOTHING_LEFT] = 0.0
