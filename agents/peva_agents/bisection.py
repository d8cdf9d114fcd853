"""Bisection of a partially ordered set: measure the configuration that resolves most in the worse case.

After a scouting, verdicts are not equally likely: then it resolves most by expectation, near the scouted frontier.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import ScoutedFrontier
from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import PolicyContext
from peva_env.features import CountArray, Reach
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config

_SURE = 0.02
"""Probabilities are clipped to this value and its complement: a scouting is never certain."""

_OF_PLACE = 0.5
"""Weight of the logit from the counts, tuned on simulated nodes."""


class BisectionPolicy(NoOpPolicy):
    """Maximizes the number of candidates that the worse of the two verdicts resolves, under two-sided dominance.

    Dominance holds within each set of functions, or across sets if the campaign infers ``two_sided``. Ties are broken
    at random by a generator that is seeded once, so that successive campaigns of one policy differ. The rule is binary
    search in a partially ordered set: Linial and Saks, "Searching ordered structures", Journal of Algorithms 6 (1985),
    who show that an element that splits the set well always exists.

    With the steps of a scouting, ``p`` is the probability that a candidate is overloaded
    (``peva_agents.beliefs.ScoutedFrontier``), and the policy maximizes

        (p above + (1 - p) below) sqrt(p (1 - p))

    as ``level_set`` does: the expected number of resolved candidates times the standard deviation of the verdict. The
    logit of ``p`` also has a part from the counts, ``log(below / above)``: what was measured outweighs the scouting,
    whose rays say little about mixes that are far from them.

    Args:
        seed: seed of the random tie-breaking.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Prepare to count in the space, and learn from the steps of a scouting."""
        self._space = context.space
        self._scouted = ScoutedFrontier.of(context.space, context.history)
        self._reach = Reach(context.space, context.dominance, self._rng)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates that resolve most, best first: in the worse case, or after a scouting as expected."""
        candidates = Candidates.of(self._space, candidates)
        counted = self._reach.counted(candidates)
        below, above = self._reach.counts(counted, candidates)
        gain = (
            np.minimum(below, above) if self._scouted is None else self._expected(self._scouted, counted, below, above)
        )
        order = np.lexsort((self._rng.random(len(gain)), -gain))
        return counted.take(order[:desired_size])

    def _expected(
        self, scouted: ScoutedFrontier, counted: Candidates, below: CountArray, above: CountArray
    ) -> NDArray[np.float64]:
        likely = scouted.likely(self._reach.rates_rps(counted)).clip(_SURE, 1 - _SURE)
        odds = likely / (1 - likely) * (below / above) ** _OF_PLACE
        p = odds / (1 + odds)
        gain: NDArray[np.float64] = (p * above + (1 - p) * below) * np.sqrt(p * (1 - p))
        return gain


class BisectionAgent(PolicyAgent):
    """Bisection as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(BisectionPolicy(seed), name="bisection", seed=seed)
