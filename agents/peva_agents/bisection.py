"""Bisection of a partially ordered set: measure the configuration that resolves most in the worse case."""

from collections.abc import Sequence

import numpy as np

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import PolicyContext
from peva_env.features import Reach
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config


class BisectionPolicy(NoOpPolicy):
    """Maximizes the number of candidates that the worse of the two verdicts resolves, under two-sided dominance.

    Dominance holds within each set of functions, or across sets if the campaign infers ``two_sided``. Ties are broken
    at random by a generator that is seeded once, so that successive campaigns of one policy differ. The rule is binary
    search in a partially ordered set: Linial and Saks, "Searching ordered structures", Journal of Algorithms 6 (1985),
    who show that an element that splits the set well always exists.

    Args:
        seed: seed of the random tie-breaking.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Prepare to count in the space."""
        self._space = context.space
        self._reach = Reach(context.space, context.dominance, self._rng)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates that resolve most in the worse case, best first."""
        candidates = Candidates.of(self._space, candidates)
        counted = self._reach.counted(candidates)
        worst = np.minimum(*self._reach.counts(counted, candidates))
        order = np.lexsort((self._rng.random(len(worst)), -worst))
        return counted.take(order[:desired_size])


class BisectionAgent(PolicyAgent):
    """Bisection as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(BisectionPolicy(seed), name="bisection", seed=seed)
