"""Global look-ahead level-set estimation: the run that is expected to settle most of the map."""

from collections.abc import Callable, Sequence

import numpy as np

from peva_agents.policy_agent import PolicyAgent
from peva_agents.rivals.latent import LatentLoad
from peva_agents.rivals.normal import below, both_below
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, PolicyContext
from peva_env.features import Floats, Measured, Reach, highest_rps, valid_runs
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config

_MOST_MEASURED = 300
"""Largest number of configurations to which the model is fitted, the latest ones: the fit has cubic cost."""

_N_TRIED, _N_TARGETS = 192, 256
"""Sizes of the random samples: candidates whose runs are looked ahead to, and candidates that a run may settle."""

_SURE = 1e-6

type Doubt = Callable[[Floats], Floats]
"""How undecided a verdict is, by its probability of being overloaded, of any shape."""


def misclassified(p: Floats) -> Floats:
    """Return the probability that the likelier verdict is wrong."""
    return np.minimum(p, 1 - p)


def entropy(p: Floats) -> Floats:
    """Return the entropy of a verdict, in nats."""
    sure = np.clip(p, _SURE, 1 - _SURE)
    doubt: Floats = -sure * np.log(sure) - (1 - sure) * np.log(1 - sure)
    return doubt


class LookAheadPolicy(NoOpPolicy):
    """Maximizes the expected decrease of the doubt about all candidates, summed, by one more run.

    B. Letham, P. Guan, C. Tymms, E. Bakshy and M. Shvartsman, "Look-ahead acquisition functions for Bernoulli level set
    estimation", AISTATS 2022: *GlobalSUR* with the probability of misclassification as the doubt, *GlobalMI* with the
    entropy. For a verdict at ``s``, the probability of overload at ``q`` after it has a closed form with the bivariate
    normal distribution (their theorem 1); the model is ``peva_agents.rivals.latent``, not theirs, which is fitted by
    variational inference.

    Args:
        doubt: ``misclassified`` or ``entropy``.
        seed: seed of the random samples.
    """

    def __init__(self, doubt: Doubt, seed: int | None = None) -> None:
        self._doubt = doubt
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space, and learn from the earlier runs of a resumed campaign."""
        self._space = context.space
        self._highest_rps = highest_rps(context.space)
        self._reach = Reach(context.space, context.dominance, self._rng)
        self._measured = Measured(context.space)
        self.update_batch(valid_runs(context.history))

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates of the highest expected decrease, best first."""
        candidates = Candidates.of(self._space, candidates)
        if not len(candidates):
            return candidates
        tried, targets = self._sample(candidates, _N_TRIED), self._sample(candidates, _N_TARGETS)
        gain = self._gain(self._shares(tried), self._shares(targets))
        best = np.lexsort((self._rng.random(len(gain)), -gain))
        return tried.take(best[:desired_size])

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from a run."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several runs."""
        self._measured.learn(events)
        self._model: LatentLoad | None = None

    def predict(self, configs: Sequence[Config]) -> Floats:
        """Return each configuration's probability of being overloaded, 0..1."""
        shares = self._shares(Candidates.of(self._space, configs))
        parts = [self._overloaded(*_diagonal(self._fitted().at(part))) for part in _split(shares)]
        return np.concatenate([np.zeros(0), *parts])

    def _fitted(self) -> LatentLoad:
        if self._model is None:
            measured = self._measured.measurements(at_most=_MOST_MEASURED)
            self._model = LatentLoad(measured.rates, measured.labels)
        return self._model

    def _gain(self, tried: Floats, targets: Floats) -> Floats:
        """Return the expected decrease of the doubt about targets (m, F) by a run of each one tried (k, F), (k,)."""
        k = len(tried)
        mean, covariance = self._fitted().at(np.concatenate([tried, targets]))
        variance = np.maximum(np.diag(covariance), _SURE)
        reading = np.sqrt(1 + variance[:k])  # of the latent load of a run, with the noise of its verdict
        deviation = np.sqrt(variance[k:])
        at_run, at_target = mean[:k] / reading, mean[k:] / deviation
        both = both_below(at_run, at_target, covariance[:k, k:] / (reading[:, None] * deviation))
        overloads = np.clip(below(at_run), _SURE, 1 - _SURE)[:, None]
        overloaded = below(at_target)
        after_overload = np.clip(both / overloads, 0, 1)
        after_ok = np.clip((overloaded - both) / (1 - overloads), 0, 1)
        left = overloads * self._doubt(after_overload) + (1 - overloads) * self._doubt(after_ok)
        gain: Floats = (self._doubt(overloaded) - left).sum(axis=1)
        return gain

    def _overloaded(self, mean: Floats, variance: Floats) -> Floats:
        return below(mean / np.sqrt(1 + np.maximum(variance, 0)))

    def _shares(self, candidates: Candidates) -> Floats:
        shares: Floats = self._reach.rates_rps(candidates) / self._highest_rps
        return shares

    def _sample(self, candidates: Candidates, most: int) -> Candidates:
        if len(candidates) <= most:
            return candidates
        return candidates.take(self._rng.choice(len(candidates), most, replace=False))


def _diagonal(prediction: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    mean, covariance = prediction
    return mean, np.diag(covariance)


def _split(shares: Floats) -> list[Floats]:
    return [shares[start : start + _N_TARGETS] for start in range(0, len(shares), _N_TARGETS)]


class GlobalSURAgent(PolicyAgent):
    """GlobalSUR as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(LookAheadPolicy(misclassified, seed), name="global_sur", seed=seed)


class GlobalMIAgent(PolicyAgent):
    """GlobalMI as an agent; the seed is the configuration's, 0 if it has none."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        seed = config.seed if config else None
        super().__init__(LookAheadPolicy(entropy, seed), name="global_mi", seed=seed)
