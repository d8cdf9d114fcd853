"""Random search as a baseline: every unknown configuration is equally likely to be next."""

from collections.abc import Sequence

import numpy as np

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.planning import NoOpPolicy
from peva_env.space import Config


class UniformPolicy(NoOpPolicy):
    """Draws candidates by a generator that is seeded once, so that successive campaigns of one policy differ.

    Random search is a standard baseline: Bergstra and Bengio, "Random search for hyper-parameter optimization", Journal
    of Machine Learning Research 13 (2012).

    Args:
        seed: seed of the draws.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = np.random.default_rng(seed or 0)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> list[Config]:
        """Return ``desired_size`` of the candidates, or all if there are fewer, in random order."""
        n = min(desired_size, len(candidates))
        return [candidates[int(position)] for position in self._rng.choice(len(candidates), n, replace=False)]


class UniformAgent(PolicyAgent):
    """Random search as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(UniformPolicy(seed), name="uniform", seed=seed)
