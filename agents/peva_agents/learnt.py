"""A learnt agent: one small network, trained on many maps, scores the candidates of any space.

In two steps. The *estimate* is how likely a candidate is overloaded, ``p``, from the features of
``peva_agents.beliefs.features``. The *choice* is the candidate with the highest

    log((p above + (1 - p) below) sqrt(p (1 - p))) + correction

where ``above`` and ``below`` are how many unknown configurations either verdict would resolve. The first factor is the
expected gain of one run, as in adaptive submodular maximization (Golovin and Krause, Journal of Artificial
Intelligence Research 42, 2011); the second, the standard deviation of the verdict, prefers what is near the frontier,
as the straddle heuristic does (Bryan et al., NIPS 2005). The correction is a second small network, trained by maskable
PPO (Huang and Ontanon, 2022; Schulman et al., 2017) on whole campaigns; see ``peva_agents.training.learnt``.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import N_FEATURES, Counts, Features, Measured, Network, Prior, Reach, highest_rps, valid_runs
from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig, OverloadConfig
from peva_env.contracts import ExecutionEvent, PolicyContext
from peva_env.errors import PolicyError
from peva_env.planning import Candidates
from peva_env.space import Config

type Floats = NDArray[np.float64]

SHIPPED = Path(__file__).with_name("learnt.npz")
"""The networks that come with the package."""

_MOST_COMPARED = 600
"""So many candidates are compared at most; of more, a sample."""

_AT_ONCE = 600
"""So many candidates' features are worked out at a time, which keeps their arrays to some megabytes."""

_CERTAIN = 0.996
"""No estimate is taken to be more certain than this."""

N_INPUTS, SCORE_INPUT = 8, 5
"""How many numbers the correction is told of each candidate, and which of them is the score, less the highest one."""


@dataclass(frozen=True)
class Networks:
    """What a learnt policy runs on: the estimate (features to log odds) and the correction (of ``Comparison``)."""

    estimate: Network
    correction: Network | None = None

    def save(self, path: Path) -> None:
        """Write both to a file of NumPy arrays."""
        correction = self.correction.arrays("correction") if self.correction else {}
        arrays: dict[str, Any] = self.estimate.arrays("estimate") | correction
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Networks":
        """Read them; nothing is unpickled.

        Raises:
            PolicyError: there is no such file, or it is none of these.
        """
        try:
            arrays = _arrays(path)
            has_correction = any(key.startswith("correction.") for key in arrays)
            correction = Network.of(arrays, "correction", n_inputs=N_INPUTS) if has_correction else None
            return cls(Network.of(arrays, "estimate", n_inputs=N_FEATURES), correction)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise PolicyError(f"{path}: holds no networks of a learnt agent: {error}") from error


def _arrays(path: Path) -> dict[str, Floats]:
    """Read a file of NumPy arrays."""
    with path.open("rb") as file:
        found = np.load(file, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array")
        return dict(found)


class Comparison(NamedTuple):
    """Candidates that are compared, and what is known of each, (k,)."""

    candidates: Candidates
    overloaded: Floats  # how likely
    score: Floats  # the logarithm of the formula
    inputs: Floats  # (k, d) of the correction


class LearntPolicy:
    """Chooses by the networks; nothing is learnt any more, but what is measured is taken into account.

    Args:
        networks: those that come with the package, if none are given.
        seed: of samples and ties.
        transfers: whether what the memory holds of other campaigns is taken into account: see
            ``peva_agents.beliefs.prior``.
    """

    def __init__(self, networks: Networks | None = None, seed: int | None = None, *, transfers: bool = False) -> None:
        self._transfers = transfers
        self._networks = networks or Networks.load(SHIPPED)
        self._rng = np.random.default_rng(seed or 0)

    def setup(self, context: PolicyContext) -> None:
        """Look at the space, and at what is measured already."""
        self._space = context.space
        self._reach = Reach(context.space, context.dominance, self._rng)
        self._limits = OverloadConfig.model_validate(context.config.get("overload") or {})
        self._highest_rps = highest_rps(context.space)
        self._measured = Measured(context.space)
        self._measured.learn(valid_runs(context.history))
        self._prior = self._other_campaigns(context) if self._transfers else None
        self._features: Features | None = None

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the best candidates, the best first."""
        compared = self.compare(Candidates.of(self._space, candidates))
        correction = self._networks.correction
        scores = compared.score + (correction(compared.inputs) if correction else 0.0)
        order = np.lexsort((self._rng.random(len(scores)), -scores))
        return compared.candidates.take(order[:desired_size])

    def update_online(self, event: ExecutionEvent) -> None:
        """Take an event into account."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Take events into account."""
        self._measured.learn(events)
        self._features = None

    def predict(self, configs: Sequence[Config]) -> Floats:
        """Return how likely each configuration is to be overloaded, taking these to be all that is unknown."""
        candidates = Candidates.of(self._space, configs)
        return self._likely(self.shares(candidates), self.counts(candidates, candidates))

    def counts(self, counted: Candidates, candidates: Candidates) -> Counts:
        """Return what verdicts on those of the candidates that are counted for would resolve."""
        return Counts(*self._reach.counts(counted, candidates), len(candidates))

    def shares(self, candidates: Candidates) -> Floats:
        """Return the rates of candidates as shares of the highest ones, (k, F)."""
        return self._reach.rates_rps(candidates) / self._highest_rps

    def features(self, rates: Floats, counts: Counts) -> Floats:
        """Return the features (k, d) of candidates with such shares (k, F)."""
        found = self._seen()
        parts = [
            found.of(rates[part], Counts(counts.below[part], counts.above[part], counts.n))
            for part in (slice(start, start + _AT_ONCE) for start in range(0, max(1, len(rates)), _AT_ONCE))
        ]
        return np.concatenate(parts)

    def _other_campaigns(self, context: PolicyContext) -> Prior:
        return Prior(context.tensors, context.space, self._measured.measurements().rates)

    def _seen(self) -> Features:
        """Return the features in the light of all that was measured."""
        if self._features is None:
            self._features = Features(self._measured.measurements(), self._limits)
        return self._features

    def sample(self, candidates: Candidates) -> Candidates:
        """Return the candidates that are compared: all, or as many of them as can be."""
        counted = self._reach.counted(candidates)
        if len(counted) <= _MOST_COMPARED:
            return counted
        return counted.take(self._rng.permutation(len(counted))[:_MOST_COMPARED])

    def compare(self, candidates: Candidates) -> Comparison:
        """Return what is known of the candidates, or of a sample of them."""
        counted = self.sample(candidates)
        counts = self.counts(counted, candidates)
        likely = self._likely(self.shares(counted), counts).clip(1 - _CERTAIN, _CERTAIN)
        gain = likely * counts.above + (1 - likely) * counts.below
        score = np.log(gain) + np.log(likely * (1 - likely)) / 2
        return Comparison(counted, likely, score, self._inputs(likely, gain, score, counts))

    def _likely(self, rates: Floats, counts: Counts) -> Floats:
        log_odds = self._networks.estimate(self.features(rates, counts))
        if self._prior:
            log_odds += self._prior.log_odds(rates, self._seen().measured)
        likely: Floats = 1 / (1 + np.exp(-log_odds))
        return likely

    def _inputs(self, likely: Floats, gain: Floats, score: Floats, counts: Counts) -> Floats:
        """Return what the correction is told of each candidate: estimate, gains, rank, and how the campaign stands."""
        n, n_unknown = len(likely), counts.n
        columns = [
            np.log(likely / (1 - likely)),
            likely * (1 - likely),
            np.log(counts.below / n_unknown),
            np.log(counts.above / n_unknown),
            gain / n_unknown,
            score - score.max(initial=-np.inf),
            np.full(n, np.log1p(len(self._measured))),
            np.log(np.full(n, n_unknown)),
        ]
        return np.stack(columns, axis=1)


class LearntAgent(PolicyAgent):
    """The learnt policy as an agent; the seed is the configuration's, 0 if it has none.

    Args:
        config: a campaign's.
        path: of the networks; those that come with the package without.
        transfers: see ``LearntPolicy``.
    """

    def __init__(
        self, config: DfaasConfig | None = None, path: Path | str | None = None, *, transfers: bool = False
    ) -> None:
        seed = config.seed if config else None
        networks = Networks.load(Path(path)) if path else None
        name = "learnt-transfer" if transfers else "learnt"
        super().__init__(LearntPolicy(networks, seed, transfers=transfers), name=name, seed=seed)


class TransferAgent(LearntAgent):
    """The same, taking into account what the memory holds of other campaigns: other nodes, or fewer functions."""

    def __init__(self, config: DfaasConfig | None = None, path: Path | str | None = None) -> None:
        super().__init__(config, path, transfers=True)
