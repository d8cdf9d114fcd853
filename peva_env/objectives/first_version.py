"""The rewards of the ``-v0`` ids: a no-op costs 0.001, and unspent budget nothing, so that stalling could pay."""

import numpy as np
from numpy.typing import NDArray

from peva_env.objectives.step import Objective, Step, checked_rewards

ILLEGAL_REWARD = -0.001
"""Reward of a step without a run in the ``-v0`` ids."""


class FirstVersion:
    """Pays an objective for runs alone, and ``ILLEGAL_REWARD`` for every other step."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the objective's reward where there was a run."""
        rewards = np.full(len(memo), ILLEGAL_REWARD)
        if step.ran.any():
            own = memo[step.ran]
            rewards[step.ran] = checked_rewards(self._objective, step.rows(step.ran), own)
            memo[step.ran] = own
        return rewards
