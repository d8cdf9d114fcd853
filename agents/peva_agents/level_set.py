"""The frontier as a level set: Gaussian processes estimate each configuration's probability of being overloaded."""

from collections.abc import Sequence

import numpy as np

from peva_agents.beliefs import NodeBelief
from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig, OverloadConfig
from peva_env.contracts import ExecutionEvent, PolicyContext
from peva_env.features import CountArray, Floats, Measured, Reach, highest_rps, valid_runs, valid_steps
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config

_MOST_MEASURED = 300
"""Largest number of configurations to which the belief is fitted, the latest ones: the fit has cubic cost."""

_N_JUDGED = 384
"""Largest number of candidates that are compared: half resolve most in the worse case, half are drawn at random."""

_N_AT_ONCE = 2048
"""Configurations are predicted this many at a time, which bounds the memory of the draws."""

_SURE = 0.004
"""Probabilities are clipped to this value and its complement."""

_OF_RULES, _OF_LABELS, _OF_PLACE = 0.8, 0.2, 0.3
"""Weights of the logits in the sum, tuned on simulated nodes and recorded maps."""


class LevelSetPolicy(NoOpPolicy):
    """Maximizes the expected number of resolved candidates times the standard deviation of the verdict.

    With ``p`` a candidate's probability of being overloaded, and ``above`` and ``below`` the numbers of candidates that
    an overloaded and an OK verdict resolve, it maximizes

        (p above + (1 - p) below) sqrt(p (1 - p))

    The root is the straddle heuristic, which measures where the verdict is least certain: Bryan et al., "Active
    learning for identifying function threshold boundaries", NIPS 2005; Gotovos et al., "Active learning for level set
    estimation", IJCAI 2013. The other factor is the expected gain by inference.

    The logit of ``p`` is a weighted sum of three logits: that of the overload rules, applied to predicted latencies,
    CPU and RAM; that of a process on the labels (``peva_agents.beliefs.node_belief``); and ``log(below / above)``,
    since a candidate is more likely to be overloaded the higher it lies among the unknown ones. Without the third
    logit, the policy would choose extreme candidates wherever the first two are uncertain, because an unlikely verdict
    of an extreme candidate resolves most.

    Args:
        seed: seed of the random draws.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space, and learn from the steps of a scouting and the earlier runs of a resumed campaign."""
        self._space = context.space
        self._highest_rps = highest_rps(context.space)
        self._reach = Reach(context.space, context.dominance, self._rng)
        self._offered = Candidates(context.space, [])
        self._rules = OverloadConfig.model_validate(context.config.get("overload") or {})
        self._measured = Measured(context.space)
        self.update_batch([*valid_steps(context.history), *valid_runs(context.history)])

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates with the highest value, best first."""
        self._offered = candidates = Candidates.of(self._space, candidates)
        if not len(candidates):
            return candidates
        counted = self._reach.counted(candidates)
        below, above = self._reach.counts(counted, candidates)
        judged = self._judged(np.minimum(below, above))
        below, above = below[judged], above[judged]
        p = self._overloaded(counted.take(judged), below, above)
        gain = (p * above + (1 - p) * below) * np.sqrt(p * (1 - p))
        best = np.lexsort((self._rng.random(len(gain)), -gain))
        return counted.take(judged[best[:desired_size]])

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from a run."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several runs."""
        self._measured.learn(events)
        self._belief: NodeBelief | None = None

    def predict(self, configs: Sequence[Config]) -> Floats:
        """Return each configuration's probability of being overloaded, 0..1, as of the last choice."""
        candidates = Candidates.of(self._space, configs)
        parts = [candidates[start : start + _N_AT_ONCE] for start in range(0, len(candidates), _N_AT_ONCE)]
        likely = (self._overloaded(part, *self._reach.counts(part, self._offered)) for part in parts)
        return np.concatenate([np.zeros(0), *likely])

    def _fitted(self) -> NodeBelief:
        """Return the belief fitted to the measurements; it is cached until the next update."""
        if self._belief is None:
            self._belief = NodeBelief(self._measured.measurements(at_most=_MOST_MEASURED), self._rules)
        return self._belief

    def _judged(self, worst: CountArray) -> CountArray:
        if len(worst) <= _N_JUDGED:
            return np.arange(len(worst))
        promising = np.argsort(-worst, kind="stable")[: _N_JUDGED // 2]
        drawn = self._rng.choice(len(worst), _N_JUDGED // 2, replace=False)
        return np.union1d(promising, drawn)

    def _overloaded(self, candidates: Candidates, below: CountArray, above: CountArray) -> Floats:
        shares = self._reach.rates_rps(candidates) / self._highest_rps
        belief = self._fitted()
        rules, labels = belief.breaks_a_rule(shares), belief.labelled_overloaded(shares)
        place = np.log(np.maximum(below, 1) / np.maximum(above, 1))
        logits = _OF_RULES * _logit(rules) + _OF_LABELS * _logit(labels) + _OF_PLACE * place
        p: Floats = np.clip(1 / (1 + np.exp(-logits)), _SURE, 1 - _SURE)
        return p


def _logit(p: Floats) -> Floats:
    bounded = np.clip(p, _SURE, 1 - _SURE)
    logits: Floats = np.log(bounded / (1 - bounded))
    return logits


class LevelSetAgent(PolicyAgent):
    """The level set as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(LevelSetPolicy(seed), name="level_set", seed=seed)
