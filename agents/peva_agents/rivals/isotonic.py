"""Isotonic search along rays: the margin of a run falls with the rate, so its fitted curve tells where it crosses 0."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, PolicyContext, Verdict
from peva_env.features import Reach, highest_rps, valid_runs
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config

type Floats = NDArray[np.float64]
type Indices = NDArray[np.int64]

_UNTOLD = 0.05
"""The margin, without its sign, of a run that has none."""


class IsotonicPolicy(NoOpPolicy):
    """Measures, along one ray after the other, the rate at which a falling curve through its margins crosses 0.

    Load generators search one limit so: AIPerf's search for the highest load that keeps a service-level objective fits
    an isotonic curve to the measured margins, and probes its crossing. Here a *ray* is one rate of every function but
    the last of those that a configuration loads, whose rate varies. The curve is fitted by pooling adjacent violators
    (R. E. Barlow et al., "Statistical inference under order restrictions", 1972) to the margins that were measured on
    the ray, or, before its first run, on the nearest ray that has some. The next ray is that of the middle candidate.
    """

    def setup(self, context: PolicyContext) -> None:
        """Prepare for the space, and learn from the earlier runs of a resumed campaign."""
        self._space = context.space
        self._highest_rps = highest_rps(context.space)
        self._reach = Reach(context.space, context.dominance, np.random.default_rng(0))
        self._runs: dict[bytes, list[tuple[float, float]]] = {}
        self._ray: Floats | None = None
        self.update_batch(valid_runs(context.history))

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Candidates:
        """Return the candidates of a ray, those nearest to the crossing first."""
        candidates = Candidates.of(self._space, candidates)
        if not len(candidates):
            return candidates
        rays, rates = _along(self._reach.rates_rps(candidates) / self._highest_rps)
        if self._ray is None or not (rays == self._ray).all(axis=1).any():
            middle = np.argsort(candidates.indices)[len(candidates) // 2]
            self._ray = rays[middle]
        own = (rays == self._ray).all(axis=1).nonzero()[0]
        nearest = np.argsort(abs(rates[own] - self._crossing(self._ray, rates[own])), kind="stable")
        return candidates.take(own[nearest][:desired_size])

    def update_online(self, event: ExecutionEvent) -> None:
        """Learn from a run."""
        self.update_batch([event])

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        """Learn from several runs."""
        known = [event for event in events if set(event.config_key[0]) <= set(self._space.functions)]
        rays, rates = _along(self._space.rates_of(event.config_pairs for event in known) / self._highest_rps)
        for ray, rate, event in zip(rays, rates.tolist(), known, strict=True):
            self._runs.setdefault(ray.tobytes(), []).append((rate, _margin(event)))

    def _crossing(self, ray: Floats, rates: Floats) -> float:
        """Return where the curve of a ray crosses 0; without a curve the middle of its candidates' rates (k,)."""
        runs = self._nearest_runs(ray)
        if {True, False} != {margin > 0 for _, margin in runs}:
            return float(np.sort(rates)[len(rates) // 2])
        at, margins = (np.array(values) for values in zip(*sorted(runs), strict=True))
        falling = -_isotonic(-margins)
        return float(np.interp(0.0, falling[::-1], at[::-1]))

    def _nearest_runs(self, ray: Floats) -> list[tuple[float, float]]:
        """Return the runs of a ray, or of the nearest one that has some."""
        distances = {key: float(abs(np.frombuffer(key) - ray).sum()) for key in self._runs}
        nearest = min(distances, key=lambda key: distances[key], default=None)
        return [] if nearest is None else self._runs[nearest]


def _along(shares: Floats) -> tuple[Floats, Floats]:
    """Return the ray of each configuration (k, F), as its rates with -1 for the one that varies, and that rate (k,)."""
    loaded = shares > 0
    last = shares.shape[1] - 1 - loaded[:, ::-1].argmax(axis=1)
    rows = np.arange(len(shares))
    rates: Floats = shares[rows, last]
    rays = shares.copy()
    rays[rows, last] = -1.0
    return rays, rates


def _margin(event: ExecutionEvent) -> float:
    """Return the margin of a run, positive if it is OK."""
    size = abs(event.margin) if event.margin else _UNTOLD
    return -size if event.verdict is Verdict.OVERLOADED else size


def _isotonic(values: Floats) -> Floats:
    """Return the rising sequence that is nearest to ``values`` (k,) in least squares, by pooling adjacent violators."""
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, size = value, 1
        while pools and pools[-1][0] > mean:
            lower, n = pools.pop()
            mean, size = (mean * size + lower * n) / (size + n), size + n
        pools.append((mean, size))
    return np.concatenate([np.full(size, mean) for mean, size in pools])


class IsotonicAgent(PolicyAgent):
    """The isotonic search as an agent; the configuration's seed draws samples in very large spaces."""

    def __init__(self, config: DfaasConfig | None = None) -> None:
        super().__init__(IsotonicPolicy(), name="isotonic", seed=config.seed if config else None)
