"""What each step of an episode is charged, as a share of the episode's budget.

Notation: ``n`` environments side by side.

- A step with a run is charged what its runs spend: the decrease of the smaller of the two remaining shares, runs and
  seconds. Without a limit the budget counts as one measurement of each configuration.
- A no-op is charged as much as the last step with a run, so that putting a measurement off is never cheaper than
  making it. Before the first run it is charged one run of the budget of runs, and without such a budget one
  configuration's share. It spends nothing of the budget itself: a live campaign makes all the runs that it may.
- The step that ends an episode with unknown configurations (the budget or the steps are spent, or the agent stops) is
  charged all that is left. So unspent budget is worth something only if the map is complete.
- No episode is charged more than 1: what exceeds it is free.
"""

import numpy as np
from numpy.typing import NDArray


class Charges:
    """The charges of ``n`` episodes side by side.

    Args:
        n: number of environments.
        budget_runs: the limit of runs, None for no limit.
        budget_seconds: the limit of seconds, None for no limit.
        only_runs: charge runs alone, as the ``-v0`` ids did: no-ops and unspent budget are free, and so is everything
            without a limit.
    """

    def __init__(self, n: int, budget_runs: int | None, budget_seconds: float | None, *, only_runs: bool) -> None:
        self._budget_runs = budget_runs
        self._is_limited = budget_runs is not None or budget_seconds is not None
        self._only_runs = only_runs
        self._charged, self._last, self._unlimited = np.zeros(n), np.zeros(n), np.zeros(n)

    def begin(self, where: NDArray[np.int64], n_configs: NDArray[np.int64]) -> None:
        """Begin episodes at ``where`` (k,) in which ``n_configs`` (k,) configurations can be measured."""
        self._charged[where] = 0
        self._unlimited[where] = 1 / n_configs
        self._last[where] = 1 / self._budget_runs if self._budget_runs else 1 / n_configs

    def charge(
        self, spent: NDArray[np.float64], ran: NDArray[np.bool_], ended: NDArray[np.bool_], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what a step is charged in the environments ``rows`` (k,), (k,).

        Args:
            spent: what its runs spent of the budget, (k,).
            ran: whether there was a run, (k,).
            ended: whether the episode ends with unknown configurations, (k,).
            rows: the environments.
        """
        if self._only_runs:
            return spent
        self._last[rows] = np.where(ran, spent if self._is_limited else self._unlimited[rows], self._last[rows])
        left = 1 - self._charged[rows]
        charge: NDArray[np.float64] = np.where(ended, left, np.minimum(self._last[rows], left))
        self._charged[rows] += charge
        return charge
