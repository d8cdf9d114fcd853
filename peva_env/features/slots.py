"""A function's slots by Little's law: their predicted fullness, and the success rate that follows from it.

A function has ``rate x latency`` requests in flight (J. D. C. Little, "A proof for the queuing formula L = lambda W",
Operations Research 9, 1961). If they are fewer than its slots, all succeed; otherwise as many succeed as there are
slots. Unlike success, latency is smooth in the rates across the frontier. So latencies predict where a function will be
overloaded, as soon as a run with too few slots has shown their number.

*Fullness* is the number of requests in flight over the number of slots. The edge between full success and the share is
rounded as in ``peva_env.sources.simulated.node_model``: ``success = (1 + fullness^16)^(-1/16)``.

Notation: ``k`` candidates, ``F`` functions. Rates are shares of each function's highest rate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.features.gaussian import GaussianProcess
from peva_env.features.measured import Measurements

type Floats = NDArray[np.float64]

SATURATED = 0.985
"""Success rate below which all slots were in use, so that their number follows from the requests in flight."""

HEADROOM = 0.3
"""Log ratio of the slots to the most requests in flight, assumed for a function that was never short of slots."""

LATENCY_SLOPE, LATENCY_HEIGHT, LATENCY_NOISE = 0.3, 0.5, 0.003
"""Parameters of the processes on log latencies."""

_EDGE = 16
"""The exponent of the rounded edge: success is 0.958 at fullness 1."""

LEAST_SUCCESS = 0.02
"""Success rate below which too few requests were served for a meaningful latency."""

IDLE = -3.0
"""The log fullness of a function without load."""


def success_at(log_fullness: Floats) -> Floats:
    """Return the success rate at a fullness, given as its logarithm, of any shape."""
    success: Floats = (1 + np.exp(_EDGE * log_fullness)) ** (-1 / _EDGE)
    return success


def log_fullness_at(success: Floats) -> Floats:
    """Return the log fullness of a success rate, of any shape: the inverse of ``success_at``."""
    fullness: Floats = np.log(success**-_EDGE - 1) / _EDGE
    return fullness


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one function, fitted to measurements.

    ``known`` says whether a run was ever short of slots. If not, the number of slots is ``HEADROOM`` above the most
    requests that were in flight.
    """

    function: int
    latency: GaussianProcess  # log of the latency, without its mean
    offset: float  # mean log latency less the log of the number of slots
    known: bool

    @classmethod
    def fitted(cls, measured: Measurements, function: int, *, length: float, rounded_edge: bool) -> "Slots | None":
        """Return the slots of function number ``function``, or None where none of its requests ever succeeded.

        Args:
            measured: the measurements.
            function: which of its functions.
            length: length scale of the latency.
            rounded_edge: whether the number of slots is computed by the inverse of ``success_at``; if not, the success
                rate is taken to be exactly the slots over the requests in flight.
        """
        rates, success, mean_ms = (
            of_all[:, function] for of_all in (measured.rates, measured.success, measured.mean_ms)
        )
        answered = ~np.isnan(mean_ms) & (rates > 0) & (success > LEAST_SUCCESS)
        if not answered.any():
            return None
        offered, success = rates[answered], success[answered]
        log_ms = np.log(np.maximum(mean_ms[answered], 1e-3))
        mean = float(log_ms.mean())
        points = measured.rates[answered]
        latency = GaussianProcess(
            points, log_ms - mean, length=length, noise=LATENCY_NOISE, slope=LATENCY_SLOPE, height=LATENCY_HEIGHT
        )
        in_flight, full = np.log(offered) + log_ms, success < SATURATED
        if not full.any():
            return cls(function, latency, mean - (float(in_flight.max()) + HEADROOM), known=False)
        in_flight, success = in_flight[full], success[full]
        slots = in_flight - log_fullness_at(success) if rounded_edge else in_flight + np.log(success)
        return cls(function, latency, mean - float(np.median(slots)), known=True)

    def log_fullness(self, rates: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the log fullness at rates (k, F), (k,) each."""
        return self._log_fullness(rates, *self.latency.at(rates))

    def next_log_fullness(self, rates: Floats) -> tuple[Floats, Floats]:
        """Return the same for a new run: see ``GaussianProcess.next_value_at``."""
        return self._log_fullness(rates, *self.latency.next_value_at(rates))

    def _log_fullness(self, rates: Floats, log_ms: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        offered = rates[:, self.function]
        fullness = np.log(np.maximum(offered, 1e-6)) + log_ms + self.offset
        return np.where(offered > 0, fullness, IDLE), deviation
