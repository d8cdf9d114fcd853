"""A learnt agent: one small network, trained on many maps, scores the candidates of any space.

The *estimate* is the probability ``p`` that a candidate is overloaded, from the features of
``peva_env.features.candidate_features``. The *choice* is the candidate with the highest

    log((p above + (1 - p) below) sqrt(p (1 - p))) + correction

where ``above`` and ``below`` are the numbers of unknown configurations that an overloaded and an OK verdict would
resolve. The first factor is the expected gain of one run, as in adaptive submodular maximization (Golovin and Krause,
Journal of Artificial Intelligence Research 42, 2011). The second factor is the standard deviation of the verdict; it
prefers candidates near the frontier, like the straddle heuristic (Bryan et al., NIPS 2005). The correction is a second
small network, trained by maskable PPO (Huang and Ontanon, 2022; Schulman et al., 2017) on whole campaigns; see
``peva_agents.training.learnt``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import Comparison, Networks, Prior, correction_inputs
from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig, OverloadConfig
from peva_env.contracts import ExecutionEvent, PolicyAlgorithm, PolicyContext
from peva_env.features import Counts, Features, Measured, Reach, highest_rps, valid_runs, valid_steps
from peva_env.planning import Candidates
from peva_env.space import Config

type Floats = NDArray[np.float64]

SHIPPED = Path(__file__).with_name("learnt.npz")
"""The networks that come with the package."""

_MOST_COMPARED = 600
"""Largest number of candidates that are compared; of more candidates, a random sample is compared."""

_AT_ONCE = 600
"""Features are computed for this many candidates at a time, which keeps their arrays to some megabytes."""

_CERTAIN = 0.996
"""Estimates are clipped to this probability and its complement."""


class LearntPolicy:
    """Chooses by pretrained networks, from features of this campaign's measurements.

    Args:
        networks: the networks; default: the shipped networks.
        seed: seed of samples and tie-breaking.
        transfers: whether measurements of other campaigns in the memory count too: see ``peva_agents.beliefs.prior``.
    """

    def __init__(self, networks: Networks | None = None, seed: int | None = None, *, transfers: bool = False) -> None:
        self._transfers = transfers
        self._networks = networks or Networks.load(SHIPPED)
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space, and learn from the steps of a scouting and the earlier runs of a resumed campaign."""
        self._space = context.space
        self._reach = Reach(context.space, context.dominance, self._rng)
        self._limits = OverloadConfig.model_validate(context.config.get("overload") or {})
        self._highest_rps = highest_rps(context.space)
        self._measured = Measured(context.space)
        self._measured.learn(valid_runs(context.history))
        self._prior = self._other_campaigns(context) if self._transfers else None
        self._measured.learn(valid_steps(context.history))
        self._features: Features | None = None

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates with the highest score, best first."""
        compared = self.compare(Candidates.of(self._space, candidates))
        correction = self._networks.correction
        scores = compared.score + (correction(compared.inputs) if correction else 0.0)
        order = np.lexsort((self._rng.random(len(scores)), -scores))
        return compared.candidates.take(order[:desired_size])

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from a run."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several runs."""
        self._measured.learn(events)
        self._features = None

    def learn_elsewhere(self, events: Sequence[ExecutionEvent]) -> None:
        """Learn from runs of other campaigns; no-op unless this policy transfers."""
        if self._prior:
            self._prior.add(events)

    def predict(self, configs: Sequence[Config]) -> Floats:
        """Return each configuration's probability of being overloaded, as if ``configs`` were all unknown ones."""
        candidates = Candidates.of(self._space, configs)
        return self._likely(self.shares(candidates), self.counts(candidates, candidates))

    def counts(self, counted: Candidates, candidates: Candidates) -> Counts:
        """Return the number of candidates that a verdict on each counted candidate would resolve."""
        return Counts(*self._reach.counts(counted, candidates), len(candidates))

    def shares(self, candidates: Candidates) -> Floats:
        """Return the rates of candidates as shares of the highest ones, (k, F)."""
        return self._reach.rates_rps(candidates) / self._highest_rps

    def features(self, rates: Floats, counts: Counts) -> Floats:
        """Return the features (k, d) of candidates with these shares of the highest rates (k, F)."""
        found = self._fitted()
        parts = [
            found.of(rates[part], Counts(counts.below[part], counts.above[part], counts.n))
            for part in (slice(start, start + _AT_ONCE) for start in range(0, max(1, len(rates)), _AT_ONCE))
        ]
        return np.concatenate(parts)

    def _other_campaigns(self, context: PolicyContext) -> Prior:
        return Prior(context.tensors, context.space, self._measured.measurements().rates)

    def _fitted(self) -> Features:
        """Return the features fitted to all measurements; they are cached until the next update."""
        if self._features is None:
            self._features = Features(self._measured.measurements(), self._limits)
        return self._features

    def sample(self, candidates: Candidates) -> Candidates:
        """Return the candidates that are compared: all, or a sample."""
        counted = self._reach.counted(candidates)
        if len(counted) <= _MOST_COMPARED:
            return counted
        return counted.take(self._rng.permutation(len(counted))[:_MOST_COMPARED])

    def compare(self, candidates: Candidates, among: Candidates | None = None) -> Comparison:
        """Compare the candidates, or a sample of them; ``among`` are all unknown ones, the candidates by default."""
        counted = self.sample(candidates)
        counts = self.counts(counted, candidates if among is None else among)
        likely = self._likely(self.shares(counted), counts).clip(1 - _CERTAIN, _CERTAIN)
        gain = likely * counts.above + (1 - likely) * counts.below
        score = np.log(gain) + np.log(likely * (1 - likely)) / 2
        inputs = correction_inputs(likely, gain, score, counts, n_measured=len(self._measured))
        return Comparison(counted, likely, score, inputs)

    def _likely(self, rates: Floats, counts: Counts) -> Floats:
        log_odds = self._networks.estimate(self.features(rates, counts))
        if self._prior:
            log_odds += self._prior.log_odds(rates, self._fitted().measured)
        likely: Floats = 1 / (1 + np.exp(-log_odds))
        return likely


class LearntAgent(PolicyAgent):
    """The learnt policy as an agent; the seed is the configuration's, 0 if it has none.

    Args:
        config: the campaign's configuration.
        path: file of the networks; default: the shipped networks.
        transfers: see ``LearntPolicy``.
    """

    def __init__(
        self, config: DfaasConfig | None = None, path: Path | str | None = None, *, transfers: bool = False
    ) -> None:
        seed = config.seed if config else None
        networks = Networks.load(Path(path)) if path else None
        name = "learnt-transfer" if transfers else "learnt"
        self.learnt = LearntPolicy(networks, seed, transfers=transfers)
        super().__init__(self.learnt, name=name, seed=seed)


class TransferAgent(LearntAgent):
    """The learnt agent with ``transfers``: it also uses measurements of other nodes, or of fewer functions."""

    def __init__(self, config: DfaasConfig | None = None, path: Path | str | None = None) -> None:
        self._path = path
        super().__init__(config, path, transfers=True)

    def learn_elsewhere(self, events: Sequence[ExecutionEvent]) -> None:
        """Learn from runs of other campaigns, such as those on the other nodes of a fleet."""
        self.learnt.learn_elsewhere(events)

    def alone(self, seed: int) -> PolicyAlgorithm:
        """Return the learnt policy without transfer."""
        return LearntPolicy(Networks.load(Path(self._path)) if self._path else None, seed)
