"""The rewards of episodes: what each step is charged, the objective's state, and the check of what it returns.

Notation: ``n`` environments side by side, ``k`` of them that step.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.objectives.charges import Charges
from peva_env.objectives.first_version import FirstVersion
from peva_env.objectives.step import Objective, Step, checked_rewards


class EpisodeRewards:
    """The rewards of ``n`` episodes side by side.

    Args:
        objective: computes the reward of a step.
        n: number of environments.
        budget_runs: the limit of runs, None for no limit.
        budget_seconds: the limit of seconds, None for no limit.
    """

    def __init__(self, objective: Objective, n: int, budget_runs: int | None, budget_seconds: float | None) -> None:
        self._objective = objective
        self._charges = Charges(n, budget_runs, budget_seconds, only_runs=isinstance(objective, FirstVersion))
        self._memo = np.zeros(n)

    def begin(self, where: NDArray[np.int64], n_configs: NDArray[np.int64]) -> None:
        """Begin episodes at ``where`` (k,) in which ``n_configs`` (k,) configurations can be measured."""
        self._charges.begin(where, n_configs)
        self._memo[where] = 0

    def of_step(
        self,
        rows: NDArray[np.int64],
        *,
        spent: NDArray[np.float64],
        ran: NDArray[np.bool_],
        ended: NDArray[np.bool_],
        **results: Any,
    ) -> NDArray[np.float64]:
        """Return the rewards of a step in the environments ``rows`` (k,), (k,).

        Args:
            rows: the environments that step.
            spent: what the runs of the step spent of the budget, (k,).
            ran: whether there was a run, (k,).
            ended: whether the episode ends with unknown configurations, (k,).
            results: the other results of the step, as ``Step`` has them.

        Raises:
            ConfigError: the objective raised an exception, or did not return ``k`` finite numbers.
        """
        charged = self._charges.charge(spent, ran, ended, rows)
        memo = self._memo[rows]
        rewards = checked_rewards(self._objective, Step(spent=charged, ran=ran, ended=ended, **results), memo)
        self._memo[rows] = memo
        return rewards
