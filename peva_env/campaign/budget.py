"""The budget of one campaign, and of many side by side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError

NOTHING_LEFT = 1e-9
"""Shares of a budget up to this value count as 0: they are rounding errors of the sum of costs."""


@dataclass(slots=True)
class Budget:
    """Limits of runs, seconds of machine time (cooldown plus run) and steps of a campaign. None = no limit.

    A no-op step spends no run and no seconds; the limit of steps ends an episode of such steps.
    """

    runs: int | None = None
    seconds: float | None = None
    steps: int | None = None
    spent_runs: int = 0
    spent_s: float = 0.0
    spent_steps: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether no other run may start."""
        return 0.0 in self.left or (self.steps is not None and self.spent_steps >= self.steps)

    @property
    def left(self) -> tuple[float, float]:
        """Remaining shares of the runs and of the seconds, 1 without a limit."""
        return _share_left(self.spent_runs, self.runs), _share_left(self.spent_s, self.seconds)

    def spend(self, cost_s: float) -> None:
        """Charge one run."""
        self.spent_runs += 1
        self.spent_s += cost_s


class Budgets:
    """The same budget for ``n`` campaigns side by side; a test checks that both classes agree to the last bit.

    ``left`` (2, n) are the remaining shares of runs and of seconds, 1 without a limit. The caller counts the steps.
    """

    def __init__(self, n: int, limits: Budget) -> None:
        self.left = np.ones((2, n))
        self.spent_steps = np.zeros(n, np.int64)
        self._limits = limits
        self._spent_runs, self._spent_s = np.zeros(n, np.int64), np.zeros(n)

    def begin(self, where: NDArray[np.int64]) -> None:
        """Reset the budgets of campaigns ``where`` (k,)."""
        self.spent_steps[where] = self._spent_runs[where] = self._spent_s[where] = 0
        self.left[:, where] = 1

    def spend(self, runs: NDArray[Any], cost_s: NDArray[np.float64]) -> None:
        """Charge each campaign a number of runs (n,) and their cost (n,)."""
        self._spent_runs += runs
        self._spent_s += cost_s
        _shares_left(self._spent_runs, self._limits.runs, self.left[0])
        _shares_left(self._spent_s, self._limits.seconds, self.left[1])

    def least_left(self) -> NDArray[np.float64]:
        """Return the smaller remaining share, (n,)."""
        least: NDArray[np.float64] = self.left.min(axis=0)
        return least

    def exhausted(self, least_left: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether no other run may start, (n,); ``least_left`` is the result of ``least_left()``."""
        spent: NDArray[np.bool_] = least_left == 0.0
        if self._limits.steps is not None:
            spent |= self.spent_steps >= self._limits.steps
        return spent


def require_positive(name: str, value: object) -> None:
    """Check that a limit is a number above 0, or None.

    Raises:
        ConfigError: any other value.
    """
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
        return
    raise ConfigError(f"{name} = {value!r}: must be more than 0")


def _share_left(spent: float, limit: float | None) -> float:
    if limit is None:
        return 1.0
    left = 1 - spent / limit
    return left if left > NOTHING_LEFT else 0.0


def _shares_left(
    spent: NDArray[np.int64] | NDArray[np.float64], limit: float | None, left: NDArray[np.float64]
) -> None:
    if limit is not None:
        np.divide(spent, limit, out=left)
        np.subtract(1, left, out=left)
        left[left <= NOTHING_LEFT] = 0.0
