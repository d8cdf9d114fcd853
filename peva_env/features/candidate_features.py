"""The features of a candidate, computed from measurements: unitless numbers, the same number for every space.

Notation: ``k`` candidates, ``t`` measured configurations, ``F`` functions; rates are shares of the highest ones, and a
*margin* is a signed distance to a limit as a share of it, positive = OK.

Five kinds of features:

- **geometry**: distances of a candidate to the OK configurations below it and the overloaded configurations above it;
- **neighbours**: labels of measured configurations nearby, by kernels and by Gaussian processes;
- **load**: predicted fullness of each function's slots, by Little's law (``peva_env.features.slots``);
- **limits**: predicted CPU and RAM;
- **counts**: numbers of candidates that each verdict would resolve, and the progress of the campaign.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features.catalogue import FEATURES
from peva_env.features.gaussian import GaussianProcess
from peva_env.features.geometry import geometry_features, neighbour_features, squared_distances
from peva_env.features.measured import Measurements
from peva_env.features.processes import label_process, use_process
from peva_env.features.slots import SATURATED, Slots, success_at

type Floats = NDArray[np.float64]

N_FEATURES = len(FEATURES)
"""Number of features of a candidate, the same for every space."""

MARGINS = (-0.3, 0.06)
"""Margins are clipped to these: success is at most 1, which is 0.053 above the limit of the mean."""

CARRIED_WIDTHS = (0.08, 0.25)
"""Widths of the kernels by which overloaded runs count."""

LATENCY_LENGTH = 0.5
"""Length scale of the processes on log latencies."""

LENGTHS_AND_NOISES = ((0.3, 0.1), (1.0, 0.2), (0.12, 0.1))
"""Hyperparameters of the processes on the labels."""


@dataclass(frozen=True, slots=True)
class Counts:
    """For each candidate, how many of ``n`` unknown configurations an OK or overloaded verdict resolves, (k,) each."""

    below: NDArray[np.int64]
    above: NDArray[np.int64]
    n: int


class Features:
    """Computes features from measurements, to which its processes are fitted once.

    Args:
        measured: the measurements.
        limits: the thresholds of the overload rules.
    """

    def __init__(self, measured: Measurements, limits: OverloadConfig) -> None:
        self.measured, self._rules = measured, limits
        self._labels = [label_process(measured, length=length, noise=noise) for length, noise in LENGTHS_AND_NOISES]
        self._uses = [
            use_process(measured, measured.cpu_pct, limits.cpu_overload_pct_of_capacity),
            use_process(measured, measured.ram_pct, limits.ram_overload_pct),
        ]
        self._slots = [
            # The shipped networks were trained with these values; other values need other networks.
            Slots.fitted(measured, function, length=LATENCY_LENGTH, rounded_edge=False)
            for function in range(measured.rates.shape[1])
        ]

    def of(self, rates: Floats, counts: Counts) -> Floats:
        """Return the features of candidates with these rates (k, F), (k, N_FEATURES)."""
        columns = [
            *geometry_features(rates, self.measured),
            *neighbour_features(rates, self.measured),
            *(part for process in self._labels for part in process.at(rates)),
            *_carried_over(rates, self.measured, self._rules),
            *(part for process in self._uses for part in _limit(rates, process)),
            *_load(rates, self._slots, self._rules),
            *_counts(counts),
            *_progress(rates, self.measured),
        ]
        return np.stack(columns, axis=1)


def _carried_over(rates: Floats, measured: Measurements, limits: OverloadConfig) -> Iterator[Floats]:
    """Yield margins at the capacity of overloaded runs: each function serves as many requests as it served there."""
    overloaded = measured.labels > 0
    n = len(rates)
    if not overloaded.any():
        yield from (np.full(n, MARGINS[1]) for _ in range(4))
        yield np.zeros(n)
        return
    success, base = measured.success[overloaded], measured.rates[overloaded]
    served = np.where(success < SATURATED, base * success, np.inf)
    expected = np.minimum(1.0, served[None] / np.maximum(rates[:, None], 1e-9))  # (k, overloaded, F)
    margins = success_margin(expected, limits)
    squared = squared_distances(rates, base)
    for width in CARRIED_WIDTHS:
        weights = np.exp(-squared / (2 * width**2)) + 1e-9
        yield ((weights * margins).sum(axis=1) / weights.sum(axis=1)).clip(*MARGINS)
    yield margins[np.arange(n), squared.argmin(axis=1)].clip(*MARGINS)
    yield np.median(margins, axis=1).clip(*MARGINS)
    yield np.ones(n)


def _limit(rates: Floats, process: GaussianProcess | None) -> Iterator[Floats]:
    """Yield the predicted excess of CPU or RAM over its limit, its standard deviation, and their ratio."""
    if process is None:
        yield from (np.zeros(len(rates)), np.ones(len(rates)), np.zeros(len(rates)))
        return
    mean, deviation = process.at(rates)
    over = (mean - 1).clip(-1, 1)
    deviation = np.minimum(deviation, 1)
    yield from (over, deviation, (over / np.hypot(deviation, 0.03)).clip(-5, 5))


def _load(rates: Floats, slots: Sequence[Slots | None], limits: OverloadConfig) -> Iterator[Floats]:
    """Yield the predicted fullness of the functions' slots, and the success margin that follows from it."""
    n = len(rates)
    unmeasured = np.zeros(n), np.ones(n)
    parts = [of_function.log_fullness(rates) if of_function else unmeasured for of_function in slots]
    fullness, deviations = (np.array(part) for part in zip(*parts, strict=True))
    known = np.array([float(of_function.known) if of_function else 0.0 for of_function in slots])
    fullness = fullness.clip(-3, 2)
    worst, each = fullness.argmax(axis=0), np.arange(n)
    yield fullness.max(axis=0)
    yield deviations[worst, each]
    yield known[worst]
    yield success_margin(success_at(fullness).T, limits).clip(*MARGINS)
    yield (fullness.max(axis=0) / np.hypot(deviations[worst, each], 0.05**0.5)).clip(-6, 6)
    yield np.full(n, known.mean())


def _counts(counts: Counts) -> Iterator[Floats]:
    below, above = np.log(counts.below), np.log(counts.above)
    n = np.log(np.full(len(below), counts.n))
    yield from (above, below, above - below, above - n, below - n, n)


def _progress(rates: Floats, measured: Measurements) -> Iterator[Floats]:
    n = len(rates)
    yield np.full(n, len(measured) / 100)
    yield np.full(n, (measured.labels > 0).mean() if len(measured) else 0.0)
    yield from (rates.mean(axis=1), rates.max(axis=1), rates.min(axis=1))


def success_margin(success: Floats, limits: OverloadConfig) -> Floats:
    """Return the smaller of the margins of the worst function and of the mean; ``success`` is (..., F)."""
    worst = success.min(axis=-1) / (limits.success_rate_function_min or 1) - 1
    return np.minimum(worst, success.mean(axis=-1) / (limits.success_rate_node_min or 1) - 1)
