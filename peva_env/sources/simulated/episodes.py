"""Offline episodes on simulated nodes: noise, counting and verdicts around the queueing model.

Noise: in each run the CPU time, I/O time and overhead of all requests are multiplied by ``1 + eps``. ``eps`` is
``noise`` times a sum of four uniform numbers, centred and scaled to a standard deviation of 1. So labels are noisy only
where a node is near a limit, as in recordings.

Counts are whole requests: a fraction of a request counts as succeeded if the node is OK and as failed if it is
overloaded. So rounding changes no verdict, and without noise the measured label is the true label.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.observation import LATENCY_CAP_S
from peva_env.rules import ArrayRules, labels
from peva_env.sources.episodes import Indices, Outcomes, Seeds, hashed
from peva_env.sources.simulated.config_table import ConfigTable
from peva_env.sources.simulated.node_model import Floats, Nodes, Served, serve
from peva_env.space import ConfigSpace

RUN_DRAWS = 1
"""The hash counter of a run's draws, after the seed; a random node's draws have 2."""

MOST_NOISE = 0.25
"""Less than 1 / sqrt(12), at which ``1 + eps`` could reach 0."""

_SQRT_3 = 1.7320508075688772  # the sum of four uniform numbers has a variance of 1 / 3
_QUARTER = np.uint64(16)  # bits of a hash that make one uniform number
_STEP = 2.0**-16
_MIDDLE = 2.0 / _STEP - 2.0  # mean of the sum in steps; each quarter means the middle of its step
_EVEN_QUARTERS, _HALF = np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFFFFFFFF)
_NO_SLOWNESS = np.ones(1)


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run: the same for all episodes of a world."""

    space: ConfigSpace
    table: ConfigTable  # of the space
    noise: float
    duration_s: float
    cooldown_s: float
    timeout_s: float
    rules: OverloadConfig

    @cached_property
    def offered(self) -> Floats:
        """Requests that a run offers, (F, N); 1, which succeeds, instead of 0."""
        return np.maximum(self.requests, 1.0)

    @cached_property
    def requests(self) -> Floats:
        """Requests that a run offers, (F, N)."""
        return np.rint(self.table.rates_rps * self.duration_s)

    @cached_property
    def array_rules(self) -> ArrayRules:
        """The rules, over arrays of the functions of the space."""
        return ArrayRules(self.rules, self.space.functions)

    @cached_property
    def mask(self) -> NDArray[np.int8]:
        """Mask of the values that a run measures, (N, V): latency only for functions with requests."""
        present, loaded = self.table.present.T, self.table.rates_rps.T > 0
        return np.hstack([np.ones((len(present), 3)), present, loaded]).astype(np.int8)

    @property
    def cost_s(self) -> float:
        """Machine time of a run."""
        return self.cooldown_s + self.duration_s


@dataclass(frozen=True, slots=True)
class SimulatedRuns:
    """The results of ``n`` runs of ``F`` functions."""

    served: Served
    succeeded: Floats  # (F, n): whole requests; 1 of 1 where none was offered
    success: Floats  # (F, n): 1 where the function was absent
    cpu_pct: Floats  # (n,)
    ram_pct: Floats  # (n,)
    margins: Floats  # (n,)


@dataclass(frozen=True, slots=True)
class SimulatedEpisodes:
    """Episodes side by side; a node that is the same in all of them is kept once."""

    settings: RunSettings
    nodes: Nodes
    chance: Seeds  # (n,): the seeds, hashed with RUN_DRAWS

    def outcomes(self, indices: Indices, iteration: int | Indices = 0) -> Outcomes:
        """Return the outcome of configuration ``indices[i]`` (n,) in episode ``i``."""
        settings, runs = self.settings, self.run(indices, iteration)
        p95_ms = 1000 * runs.served.percentile_s(95, settings.timeout_s)
        success_at, p95_at = 3, 3 + len(p95_ms)
        columns = np.empty((p95_at + len(p95_ms), len(indices)))
        np.divide(runs.cpu_pct, 100, out=columns[0])
        np.divide(runs.ram_pct, 100, out=columns[1])
        np.minimum(np.maximum(runs.margins, -1.0), 1.0, out=columns[2])
        columns[success_at:p95_at] = runs.success
        np.minimum(p95_ms / 1000, LATENCY_CAP_S, out=columns[p95_at:])
        mask = settings.mask.take(indices, axis=0)
        if runs.succeeded.min() == 0:  # a function without a successful request has no latency
            mask[:, p95_at:][(runs.succeeded == 0).T] = 0
        values = columns.T.astype(np.float32, order="C")
        values *= mask
        mean_ms = np.minimum(1000 * runs.served.mean_s(settings.timeout_s), LATENCY_CAP_S * 1000)
        mean_ms = np.where(mask[:, p95_at:], mean_ms.T, np.nan).astype(np.float32)
        return Outcomes(labels(runs.margins), values, mask, np.full(len(indices), settings.cost_s), mean_ms)

    def truth(self, indices: Indices) -> NDArray[np.int8]:
        """Return the labels (n,) without noise, -1 OK, 1 overloaded: monotone in the rates."""
        return labels(self._measured(indices, _NO_SLOWNESS).margins)

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the episodes at ``where`` (k,) by the episodes of ``others`` at the same positions."""
        self.chance[where] = others.chance[where]
        if self.nodes is not others.nodes:
            self.nodes.adopt(where, others.nodes)

    def run(self, indices: Indices, iteration: int | Indices) -> SimulatedRuns:
        """Return the complete results of runs (n,)."""
        return self._measured(indices, self.slowness(indices, iteration))

    def slowness(self, indices: Indices, iteration: int | Indices) -> Floats:
        """Return the factor on all times in each run, (n,), or (1,) without noise."""
        if not self.settings.noise:
            return _NO_SLOWNESS
        draws = hashed(self.chance, indices, iteration)
        halves = (draws & _EVEN_QUARTERS) + ((draws >> _QUARTER) & _EVEN_QUARTERS)
        quarters = (halves & _HALF) + (halves >> (_QUARTER + _QUARTER))
        steps = quarters.astype(np.float64)
        steps -= _MIDDLE
        steps *= self.settings.noise * _SQRT_3 * _STEP
        steps += 1.0
        return steps

    def _measured(self, indices: Indices, slowness: Floats) -> SimulatedRuns:
        settings, table = self.settings, self.settings.table
        served = serve(self.nodes, table.rates_rps.take(indices, axis=1), slowness, settings.timeout_s)
        present, n_present = table.present.take(indices, axis=1), table.n_present.take(indices)
        cpu_pct, ram_pct = 100 * served.busy, 100 * served.memory
        rules = settings.array_rules
        use = rules.use_margins(cpu_pct, ram_pct)
        exact = np.minimum(use, rules.success_margins(served.success, present, n_present))
        offered = settings.offered.take(indices, axis=1)
        # The sign of the margin picks the rounding: up for OK; for overloaded, ceil of a negative number, towards zero.
        succeeded = np.abs(np.ceil(np.copysign(served.success * offered, exact)))
        success = succeeded / offered
        margins = np.minimum(use, rules.success_margins(success, present, n_present))
        latency = rules.latency_margins(
            partial(_latency_ms, served, settings.timeout_s), settings.requests.take(indices, axis=1), succeeded
        )
        margins = margins if latency is None else np.minimum(margins, latency)
        return SimulatedRuns(served, succeeded, success, cpu_pct, ram_pct, margins)


def _latency_ms(served: Served, timeout_s: float, name: str) -> Floats:
    """Return a latency (F, n) by its name in ``FunctionMeasurement``."""
    if name == "mean_ms":
        return 1000 * served.mean_s(timeout_s)
    return 1000 * served.percentile_s(int(name.removeprefix("p").removesuffix("_ms")), timeout_s)
