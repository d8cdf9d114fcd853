"""What a node will do under loads that were not tried, learned from runs: how likely it breaks a rule of overload.

Notation: ``n`` runs, ``k`` configurations to judge, ``F`` functions, ``D`` draws. Rates are *shares* of each function's
highest rate, 0..1.

By Little's law (J. D. C. Little, "A proof for the queuing formula L = lambda W", Operations Research 9, 1961) a
function has ``w = rate x latency`` requests in flight. Latency is smooth in the rates on both sides of the frontier,
where success is not: that is 1 until all slots ``c`` are taken, and ``c / w`` beyond, with a rounded edge between,
``s = (1 + (w / c)^16)^(-1/16)``. So latencies tell where a function will be overloaded, once a run has shown its ``c``;
before, ``c`` is only known to be above what was in flight. CPU and RAM are smooth in the rates, too.

Each quantity is a Gaussian process (C. E. Rasmussen and C. K. I. Williams, "Gaussian processes for machine learning",
2006) of fixed shape, whose spread is scaled by how far the data are from what that shape leads to expect. The rules are
applied to draws of all quantities, and the draws that break one are counted.
"""

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs.slots import EDGE, LEAST_SUCCESS, SATURATED, success_at
from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict

type Floats = NDArray[np.float64]

_N_DRAWS = 48

_LEAST_MS = 1e-3
_LEAST_SHARE = 1e-9

_PROBIT = 0.7978845608
"""``(1 + tanh(x sqrt(2 / pi))) / 2`` is the normal distribution function within 0.018."""


class Prior(NamedTuple):
    """A Gaussian process about 0: a Matern-3/2 kernel of a length and a variance, a linear one, noise."""

    length: float
    variance: float
    linear: float
    noise: float


_LOG_MS = Prior(length=0.8, variance=0.5, linear=0.3, noise=0.003)
_OF_LIMIT = Prior(length=1.0, variance=0.3, linear=1.0, noise=0.0015)
_LABEL = Prior(length=0.5, variance=1.0, linear=1.0, noise=0.1)


def regression(prior: Prior, shares: Floats, values: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Return the mean (k,) and the standard deviation (k,), noise included, of a quantity at some shares (k, F).

    Args:
        prior: what is expected of it.
        shares: where it was measured, (n, F).
        values: what was measured, (n,).
        at: where to tell it.
    """
    processes: Any = importlib.import_module("sklearn.gaussian_process")
    kernels: Any = importlib.import_module("sklearn.gaussian_process.kernels")
    smooth = kernels.ConstantKernel(prior.variance, "fixed") * kernels.Matern(prior.length, "fixed", nu=1.5)
    linear = kernels.ConstantKernel(prior.linear, "fixed") * kernels.DotProduct(0, "fixed")
    process = processes.GaussianProcessRegressor(smooth + linear, alpha=prior.noise, optimizer=None)
    mean, deviation = process.fit(shares, values).predict(at, return_std=True)
    misfit = (2 + values @ process.alpha_) / (2 + len(values))  # 1 where data are as the prior expects
    return mean, np.sqrt(misfit * (deviation**2 + prior.noise))


class Runs(NamedTuple):
    """Some runs as arrays, NaN where nothing was measured."""

    shares: Floats
    """Rates, (n, F)."""
    success: Floats
    """Success rates, (n, F)."""
    log_ms: Floats
    """Logarithms of the latencies of what was served, (n, F)."""
    labels: Floats
    """-1 OK, 1 overloaded, (n,)."""
    node: Floats
    """CPU and RAM, as shares of their limits, (n, 2)."""


class NodeBelief:
    """What was learned of a node.

    Args:
        highest_rps: the highest rate of each of the ``F`` functions.
        rules: when the node counts as overloaded.
        most_runs: so many of the latest runs are looked at.
    """

    def __init__(self, highest_rps: Mapping[str, int], rules: OverloadConfig, *, most_runs: int) -> None:
        self._highest_rps = highest_rps
        self._rules = rules
        self._limits_pct = np.maximum([rules.cpu_overload_pct_of_capacity, rules.ram_overload_pct], 1)
        self._most_runs = most_runs
        self._rows: list[Floats] = []
        rng, n_functions = np.random.default_rng(0), len(highest_rps)
        self._normal = rng.standard_normal((n_functions + 2, _N_DRAWS))
        self._beyond = rng.exponential(size=(n_functions, _N_DRAWS))

    def learn(self, event: ExecutionEvent) -> None:
        """Take note of a run."""
        rates_rps, measured = dict(event.config_pairs), {one.name: one for one in event.functions}
        shares = [rates_rps.get(name, 0) / max(highest, 1) for name, highest in self._highest_rps.items()]
        success, log_ms = zip(*(_success_and_log_ms(measured.get(name)) for name in self._highest_rps), strict=True)
        label = 1 if event.verdict is Verdict.OVERLOADED else -1
        node = np.array([event.node.cpu_pct, event.node.ram_pct], np.float64) / self._limits_pct
        self._rows.append(np.array([*shares, *success, *log_ms, label, *node]))

    @property
    def runs(self) -> Runs:
        """The latest runs."""
        n_functions = len(self._highest_rps)
        rows = np.array(self._rows[-self._most_runs :]).reshape(-1, 3 * n_functions + 3)
        shares, success, log_ms, others = np.split(rows, [n_functions * i for i in (1, 2, 3)], axis=1)
        return Runs(shares, success, log_ms, others[:, 0], others[:, 1:])

    def breaks_a_rule(self, at: Floats) -> Floats:
        """Return how likely each configuration (k, F) breaks a rule, (k,); 0.5 where there was no run."""
        runs = self.runs
        if not len(runs.labels):
            return np.full(len(at), 0.5)
        success = np.stack([self._success(runs, function, at) for function in range(at.shape[1])])  # (F, k, D)
        broken = (success < self._rules.success_rate_function_min).any(axis=0)
        n_loaded = np.maximum((at > 0).sum(axis=1), 1)[:, None]
        broken |= 1 - (1 - success).sum(axis=0) / n_loaded < self._rules.success_rate_node_min
        for column, draws in enumerate(self._normal[-2:]):
            broken |= _over_limit(runs, column, at, draws)
        return (broken.sum(axis=1) + 0.5) / (_N_DRAWS + 1)

    def labelled_overloaded(self, at: Floats) -> Floats:
        """Return how likely each configuration (k, F) is overloaded, by the labels near it, (k,); no load is OK."""
        runs = self.runs
        shares = np.vstack([runs.shares, np.zeros((1, at.shape[1]))])
        mean, deviation = regression(_LABEL, shares, np.append(runs.labels, -1.0), at)
        likely: Floats = (1 + np.tanh(_PROBIT * mean / deviation)) / 2
        return likely

    def _success(self, runs: Runs, function: int, at: Floats) -> Floats:
        """Draw a function's success, (k, D); 1 where it has no load or was never measured."""
        share, success, log_ms = runs.shares[:, function], runs.success[:, function], runs.log_ms[:, function]
        told = np.isfinite(log_ms) & (share > 0) & (success > LEAST_SUCCESS)
        if not told.any():
            return np.ones((len(at), _N_DRAWS))
        usual = log_ms[told].mean()
        mean, deviation = regression(_LOG_MS, runs.shares[told], log_ms[told] - usual, at)
        latency = usual + mean[:, None] + deviation[:, None] * self._normal[function]
        in_flight = np.log(np.maximum(at[:, function], _LEAST_SHARE))[:, None] + latency
        slots = self._slots(np.log(share[told]) + log_ms[told], success[told], function)
        return success_at(np.clip(in_flight - slots, -3, 3))

    def _slots(self, in_flight: Floats, success: Floats, function: int) -> Floats:
        """Draw how many slots a function has, (D,), from what was in flight (n,), both as logarithms."""
        short = success < SATURATED
        if short.any():
            over = np.log(success[short] ** -EDGE - 1) / EDGE
            return np.full(_N_DRAWS, np.median(in_flight[short] - over))
        beyond: Floats = in_flight.max() + self._beyond[function]
        return beyond


def _success_and_log_ms(measured: FunctionMeasurement | None) -> tuple[float, float]:
    if measured is None:
        return np.nan, np.nan
    latency_ms = measured.p50_ms if measured.mean_ms is None else measured.mean_ms
    return measured.success_rate, np.nan if latency_ms is None else float(np.log(max(latency_ms, _LEAST_MS)))


def _over_limit(runs: Runs, column: int, at: Floats, draws: Floats) -> NDArray[np.bool_]:
    """Draw whether CPU or RAM is over its limit, (k, D); never where it was not measured."""
    told = np.isfinite(runs.node[:, column])
    if not told.any():
        return np.zeros((len(at), len(draws)), np.bool_)
    usual = runs.node[told, column].mean()
    mean, deviation = regression(_OF_LIMIT, runs.shares[told], runs.node[told, column] - usual, at)
    over: NDArray[np.bool_] = usual + mean[:, None] + deviation[:, None] * draws > 1
    return over
