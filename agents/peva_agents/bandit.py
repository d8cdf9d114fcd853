"""A bandit whose arms are rays in rate space: it bisects the ray with the highest expected gain per second."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, PolicyContext, Verdict
from peva_env.features import Reach, highest_rps, valid_runs
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config

type Floats = NDArray[np.float64]
type Integers = NDArray[np.integer]
type Arm = tuple[int, ...]
"""A direction: each function's share of its highest rate, divided by the largest share, in steps of ``1 / _STEPS``."""

_STEPS = 4
"""Resolution of directions: two functions have 9 rays, three have 61."""

_PRIOR_RUNS = 5.0
"""Prior of each ray: this many runs of each verdict."""

_USUAL_COST_S = 60.0
"""Prior of the cost of each verdict: one run of this cost."""


@dataclass(slots=True)
class Costs:
    """Costs of the runs with one verdict: their number, and their sum in seconds of machine time."""

    n_runs: int = 0
    total_s: float = 0.0

    def add(self, cost_s: float) -> None:
        """Add a run."""
        self.n_runs += 1
        self.total_s += cost_s

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a mean cost from its posterior, an inverse gamma distribution, in seconds."""
        return float((_USUAL_COST_S + self.total_s) / rng.gamma(2 + self.n_runs))


class BanditPolicy(NoOpPolicy):
    """Thompson sampling of the number of configurations that a run resolves for each second of machine time.

    An arm is a ray: the configurations whose rates have nearly the same proportions. Pulling an arm bisects the unknown
    part of its ray. A run resolves ``above`` candidates if it is overloaded and ``below`` candidates if it is OK. The
    higher a candidate lies in the unknown part, the higher is its probability ``p`` of being overloaded. In the middle
    of the unknown part, where ``above`` equals ``below``, ``p`` has a Beta posterior for each ray, as in a Bernoulli
    bandit. With ``drawn``, a draw from this posterior,

        p / (1 - p) = below / above x drawn / (1 - drawn)

    The mean cost of each verdict has a posterior, too. A choice draws from all posteriors and takes the candidate with
    the largest

        (p above + (1 - p) below) / (p cost if overloaded + (1 - p) cost if OK)

    If ``drawn`` is one half and both costs are equal, this is bisection with the harmonic mean of ``above`` and
    ``below`` instead of their minimum. If overloaded runs cost more, the chosen candidates lie nearer to the
    configurations that are known to be OK.

    Drawing from the posterior: Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika
    25 (1933). Value over cost where pulls are paid from a budget: Tran-Thanh, Chapman, Rogers and Jennings, "Knapsack
    based optimal policies for budget-limited multi-armed bandits", AAAI 2012; with draws of both: Xia et al., "Thompson
    sampling for budgeted multi-armed bandits", IJCAI 2015.

    Args:
        seed: seed of the random draws.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space, and learn from the runs of a resumed campaign."""
        self._space = context.space
        self._highest_rps = highest_rps(context.space)
        self._reach = Reach(context.space, context.dominance, self._rng)
        self._costs = {Verdict.OVERLOADED: Costs(), Verdict.OK: Costs()}
        self._pulled: dict[tuple[Arm, Verdict], int] = {}
        self.update_batch(valid_runs(context.history))

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates with the highest ratio of gain to cost, best first."""
        candidates = Candidates.of(self._space, candidates)
        if not len(candidates):
            return candidates
        counted = self._reach.counted(candidates)
        below, above = self._reach.counts(counted, candidates)
        overloaded = _tilted(below / (below + above), self._drawn_chances(counted))
        cost_s = {verdict: costs.draw(self._rng) for verdict, costs in self._costs.items()}
        resolved = overloaded * above + (1 - overloaded) * below
        spent_s = overloaded * cost_s[Verdict.OVERLOADED] + (1 - overloaded) * cost_s[Verdict.OK]
        return counted.take(np.argsort(-resolved / spent_s, kind="stable")[:desired_size])

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn the verdict of a run for its ray, and its cost."""
        (direction,) = self._directions(self._space.rates_of([event.config_pairs]))
        pull = tuple(direction.tolist()), event.verdict
        self._pulled[pull] = self._pulled.get(pull, 0) + 1
        self._costs[event.verdict].add(event.cost_s)

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several runs."""
        for event in events:
            self.update_online(event)

    def _directions(self, rates_rps: Integers) -> Integers:
        """Return the rays on which configurations (k, F) lie, as arms (k, F)."""
        shares = rates_rps / self._highest_rps
        largest = shares.max(axis=1, keepdims=True)
        directions: Integers = np.rint(_STEPS * shares / np.where(largest > 0, largest, 1)).astype(np.int64)
        return directions

    def _drawn_chances(self, candidates: Candidates) -> Floats:
        """Draw for each candidate the probability that the middle of its ray is overloaded, (k,)."""
        rays, ray = np.unique(self._directions(self._reach.rates_rps(candidates)), axis=0, return_inverse=True)
        n_overloaded, n_ok = (
            np.array([self._pulled.get((tuple(arm), verdict), 0) for arm in rays.tolist()])
            for verdict in (Verdict.OVERLOADED, Verdict.OK)
        )
        drawn: Floats = self._rng.beta(_PRIOR_RUNS + n_overloaded, _PRIOR_RUNS + n_ok)[ray]
        return drawn


def _tilted(p: Floats, chance: Floats) -> Floats:
    """Return the probability whose odds are the odds of ``p`` times the odds of ``chance``."""
    tilted: Floats = p * chance / (p * chance + (1 - p) * (1 - chance))
    return tilted


class BanditAgent(PolicyAgent):
    """The bandit as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(BanditPolicy(seed), name="bandit", seed=seed)
