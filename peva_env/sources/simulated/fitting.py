"""Fitting the queueing model to measured runs, by least squares.

Notation as in ``peva_env.sources.simulated.node_model``: ``F`` functions, here ``n`` runs; arrays are (F, n) or (n,).
NaN marks what was not measured.

Free are CPU time, I/O time and slots of each function, by their logarithms. Residuals are differences of the success
rates in units of ``_SUCCESS``, of the logarithms of the mean latencies in units of ``_LOG_LATENCY``, and of
the shares of the cores in use in units of ``_CPU``. Large residuals count less (a pseudo-Huber loss, by iteratively
reweighted least squares: Green, Journal of the Royal Statistical Society B 46, 1984), since runs near the frontier are
noisy. The minimum is found by the method of Levenberg and Marquardt (Marquardt, SIAM Journal 11, 1963). A weak prior on
the starting values settles what no run determines, such as the slots of a function that was never short of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.sources.simulated.node_model import OVERHEAD_S, Floats, Nodes, Served, serve

_SUCCESS, _LOG_LATENCY, _CPU = 0.02, 0.3, 0.05
_PRIOR = 10.0
"""Unit of the prior: a factor of e to the tenth power counts as much as one residual of 1."""

_LEAST_SUCCESS = 0.5
"""Below this success rate a latency is that of few, chosen requests, and tells nothing of the slots."""

_UNHINDERED = 0.98
"""Below this success rate a latency may hold the time in a queue, which the model does not have, and is left out."""

_SHORT_OF_SLOTS = 0.985
_HEADROOM = 1.5
"""Slots at the start of the search of a function that was never short of them, in requests in flight."""

_LEAST_S, _STEP = 1e-5, 1e-4
_MOST_STEPS, _ENOUGH = 60, 1e-5
_USUAL_CORES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class MeasuredRuns:
    """Measured runs as arrays: rates in requests/s (F, n), success rates 0..1 and mean latencies in s (F, n), CPU (n,).

    ``cpu`` is the share of the cores in use, 0..1, and ``idle`` the share in use without load, below 1.
    """

    rates_rps: Floats
    success: Floats
    mean_s: Floats
    cpu: Floats
    idle: float = 0.0

    @property
    def in_flight(self) -> Floats:
        """The requests that were served at once, by Little's law, (F, n)."""
        return self.rates_rps * self.success * self.mean_s


@dataclass(frozen=True, slots=True)
class Fit:
    """A node without memory, fitted to runs.

    ``cost`` is the mean loss of a residual, ``served`` the response to the runs.
    """

    nodes: Nodes
    served: Served
    cost: float

    @property
    def io_s(self) -> list[float]:
        """The I/O time of each function, (F,)."""
        io_s: list[float] = np.maximum(self.nodes.held_s[:, 0] - OVERHEAD_S, 0.0).tolist()
        return io_s


def fit_node(runs: MeasuredRuns, timeout_s: float, cores: int | None = None) -> Fit:
    """Return the node that responds most like measured runs; the best of some numbers of cores unless it is given.

    Args:
        runs: the measured runs; each function has a latency in at least one of them.
        timeout_s: the load generator's timeout of a request.
        cores: how many cores the node has.
    """
    fits = [_Search(runs, timeout_s, number).best() for number in ((cores,) if cores else _USUAL_CORES)]
    return min(fits, key=lambda fit: fit.cost)


@dataclass(frozen=True)
class _Search:
    """The search for a node with a number of cores. A point is (3 F,): logarithms of CPU times, I/O times and slots."""

    runs: MeasuredRuns
    timeout_s: float
    cores: int

    def best(self) -> Fit:
        """Return the best fit with whole numbers of slots, from two starts: latencies with and without a queue."""
        starts = [self._start(has_queue) for has_queue in (False, True)]
        free = np.ones(len(starts[0]), np.bool_)
        ends = [(self._descend(start, start, free), start) for start in starts]
        point, start = min(ends, key=lambda end: float(_loss(self._residuals(*end)).sum()))
        slots = slice(2 * (len(start) // 3), None)
        point[slots] = np.log(np.maximum(1, np.rint(np.exp(point[slots]))))
        free[slots] = False
        point = self._descend(point, start, free)
        nodes = self._nodes(point)
        residuals = self._residuals(point, point)
        return Fit(nodes, self._serve(nodes), float(_loss(residuals).mean()))

    def _descend(self, point: Floats, prior: Floats, free: NDArray[np.bool_]) -> Floats:
        """Return the nearest minimum over the free coordinates."""
        damping, point = 1e-2, point.copy()
        residuals = self._residuals(point, prior)
        cost = float(_loss(residuals).sum())
        for _ in range(_MOST_STEPS):
            weights = 1 / np.sqrt(1 + residuals**2)
            slopes = self._slopes(point, prior, residuals, free)
            normal = (slopes * weights) @ slopes.T
            pull = (slopes * weights) @ residuals
            while damping < 1e8:
                step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), -pull)
                moved = point.copy()
                moved[free] += np.clip(step, -1, 1)
                new_residuals = self._residuals(moved, prior)
                new_cost = float(_loss(new_residuals).sum())
                if new_cost < cost:
                    break
                damping *= 4
            else:
                return point
            gained, point, residuals, cost = cost - new_cost, moved, new_residuals, new_cost
            damping = max(damping / 8, 1e-9)
            if gained < _ENOUGH * cost:
                return point
        return point

    def _slopes(self, point: Floats, prior: Floats, residuals: Floats, free: NDArray[np.bool_]) -> Floats:
        """Return the derivatives of the residuals by the free coordinates, (free, residuals)."""
        slopes = []
        for i in free.nonzero()[0]:
            moved = point.copy()
            moved[i] += _STEP
            slopes.append((self._residuals(moved, prior) - residuals) / _STEP)
        return np.array(slopes)

    def _residuals(self, point: Floats, prior: Floats) -> Floats:
        runs, served = self.runs, self._serve(self._nodes(point))
        success = (served.success - runs.success)[runs.rates_rps > 0] / _SUCCESS
        mean_s = served.mean_s(self.timeout_s)
        told = (runs.rates_rps > 0) & (runs.success >= _UNHINDERED) & ~np.isnan(runs.mean_s)
        latency = np.log(mean_s[told] / runs.mean_s[told]) / _LOG_LATENCY
        metered = ~np.isnan(runs.cpu)
        cpu = (served.busy - runs.cpu)[metered] / _CPU
        return np.concatenate([success, latency, cpu, (point - prior) / _PRIOR])

    def _serve(self, nodes: Nodes) -> Served:
        return serve(nodes, self.runs.rates_rps, np.ones(1), self.timeout_s)

    def _nodes(self, point: Floats) -> Nodes:
        cpu_s, io_s, slots = np.exp(point).reshape(3, -1, 1)
        nothing = np.zeros_like(cpu_s)
        return Nodes.of(
            cores=np.array([float(self.cores)]),
            ram_bytes=np.ones(1),
            idle=np.array([self.runs.idle]),
            cpu_s=cpu_s,
            held_s=io_s + OVERHEAD_S,
            slots=slots,
            base_bytes=nothing,
            request_bytes=nothing,
        )

    def _start(self, has_queue: bool) -> Floats:
        """Return where the search starts: CPU times by a linear fit, I/O times and slots by Little's law.

        With a queue in front of its slots, the latency of a function short of slots is not the time that it holds one.
        The fastest latencies are.
        """
        runs = self.runs
        n_functions = len(runs.rates_rps)
        metered = ~np.isnan(runs.cpu)
        cpu_s = np.full(n_functions, 1e-3)
        if metered.any():
            served_rps = (runs.rates_rps * runs.success)[:, metered]
            cpu_s = np.linalg.lstsq(served_rps.T, (runs.cpu[metered] - runs.idle) * self.cores, rcond=None)[0]
        fastest_s = np.nanquantile(np.where(runs.rates_rps > 0, runs.mean_s, np.nan), 0.1, axis=1)
        cpu_s = np.clip(cpu_s, _LEAST_S, np.maximum(fastest_s, 2 * _LEAST_S))
        io_s = np.maximum(fastest_s - cpu_s - OVERHEAD_S, 10 * _LEAST_S)
        return np.log(np.concatenate([cpu_s, io_s, self._slots(fastest_s if has_queue else None)]))

    def _slots(self, held_s: Floats | None) -> list[float]:
        """Return the slots of each function (F,): the median of the requests in flight when it was short of slots."""
        runs, slots = self.runs, []
        in_flight = runs.in_flight if held_s is None else runs.rates_rps * runs.success * held_s[:, None]
        for of_function, success in zip(in_flight, runs.success, strict=True):
            short = (success < _SHORT_OF_SLOTS) & (success > _LEAST_SUCCESS) & ~np.isnan(of_function)
            usual = np.median(of_function[short]) if short.any() else _HEADROOM * np.nanmax(of_function)
            slots.append(max(1.0, float(usual)))
        return slots


def _loss(residuals: Floats) -> Floats:
    """Return the pseudo-Huber loss of each residual: quadratic near 0, linear far from it."""
    loss: Floats = np.sqrt(1 + residuals**2) - 1
    return loss
