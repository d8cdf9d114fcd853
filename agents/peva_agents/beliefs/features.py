"""What a candidate looks like in the light of what was measured: numbers of no unit, whatever the space.

Notation: ``k`` candidates, ``t`` measured configurations, ``F`` functions; rates are shares of the highest ones, and a
*margin* is a signed distance to a limit as a share of it, positive = OK.

Five kinds of features:

- **geometry**: how far a candidate lies beyond what is proved OK, and how far below what is proved overloaded;
- **neighbours**: what was measured around it, by kernels and by Gaussian processes on the labels;
- **load**: by Little's law (Little, 1961) the requests in flight are the rate times the latency. Where a function fails
  for want of slots, those that succeed tell how many slots there are; the latencies tell how many are asked for
  elsewhere, below the limit, too, where success is 1 and says nothing;
- **limits**: what CPU and RAM are likely to be;
- **counts**: what either verdict would resolve, and how far the campaign has come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs.gaussian import GaussianProcess
from peva_agents.beliefs.measured import Measurements
from peva_agents.beliefs.slots import LEAST_SUCCESS, SATURATED, success_at
from peva_env.config import OverloadConfig

type Floats = NDArray[np.float64]

N_FEATURES = 48
"""How many features a candidate has, whatever the space."""

_BEYOND = 1.3
"""Where everything is taken to be overloaded, as a share of the highest rates."""

_STEP = 0.025
"""What is added to a distance before its logarithm is taken: half a step of a grid of 21 rates."""

_MARGINS = (-0.3, 0.06)
"""Margins are clipped to these: success is at most 1, which is 0.053 above the limit of the mean."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of ``n`` unknown configurations either verdict on a candidate would resolve, (k,) each."""

    below: NDArray[np.int64]
    above: NDArray[np.int64]
    n: int


class Features:
    """Features in the light of some measurements, whose processes are fitted once.

    Args:
        measured: what was measured.
        limits: the rules by which it was judged.
    """

    def __init__(self, measured: Measurements, limits: OverloadConfig) -> None:
        self.measured, self._rules = measured, limits
        self._labels = list(_label_processes(measured))
        self._uses = [
            _use_process(measured, measured.cpu_pct, limits.cpu_overload_pct_of_capacity),
            _use_process(measured, measured.ram_pct, limits.ram_overload_pct),
        ]
        self._slots = [_slots(measured, f) for f in range(measured.rates.shape[1])]

    def of(self, rates: Floats, counts: Counts) -> Floats:
        """Return the features of candidates with these rates (k, F), (k, N_FEATURES)."""
        columns = [
            *_geometry(rates, self.measured),
            *_neighbours(rates, self.measured),
            *(part for process in self._labels for part in process.at(rates)),
            *_carried_over(rates, self.measured, self._rules),
            *(part for process in self._uses for part in _limit(rates, process)),
            *_load(rates, self._slots, self._rules),
            *_counts(counts),
            *_progress(rates, self.measured),
        ]
        return np.stack(columns, axis=1)


def _geometry(rates: Floats, measured: Measurements) -> Iterator[Floats]:
    """Distances to what is proved, by three norms, and along each axis: their logarithms and log ratios."""
    n_functions = rates.shape[1]
    ok = np.vstack([measured.rates[measured.labels < 0], np.zeros((1, n_functions))])
    overloaded = np.vstack([measured.rates[measured.labels > 0], np.full((1, n_functions), _BEYOND)])
    over = np.maximum(0, rates[:, None] - ok[None])  # (k, OK, F): by how much no OK one reaches it
    under = np.maximum(0, overloaded[None] - rates[:, None])
    for norm in (_taxicab, _greatest, _euclidean):
        yield _log(norm(over)) - _log(norm(under))
    for norm in (_taxicab, _greatest):
        yield _log(norm(over))
        yield _log(norm(under))
    along = _along_axes(rates, over, under)
    yield from (along.mean(axis=0), along.min(axis=0), along.max(axis=0))


def _along_axes(rates: Floats, over: Floats, under: Floats) -> Floats:
    """Return where a candidate lies between OK (0) and overloaded (1) along each axis, (F, k)."""
    shares = []
    total_over, total_under = over.sum(axis=2), under.sum(axis=2)
    for f in range(rates.shape[1]):
        down = _nearest(over[:, :, f], total_over, rates[:, f] + 2 * _STEP)
        up = _nearest(under[:, :, f], total_under, _BEYOND - rates[:, f])
        shares.append(down / np.maximum(down + up, 1e-9))
    return np.array(shares)


def _nearest(along: Floats, total: Floats, at_most: Floats) -> Floats:
    """Return the shortest distance along one axis among those measured that differ in nothing else, (k,)."""
    aligned = np.where(total - along < 1e-9, along, np.inf)
    nearest: Floats = np.minimum(aligned.min(axis=1), at_most)
    return nearest


def _neighbours(rates: Floats, measured: Measurements) -> Iterator[Floats]:
    """What was measured around, weighed by kernels."""
    squared = _squared_distances(rates, measured.rates)
    for width in (0.1, 0.25):
        weights = np.exp(-squared / (2 * width**2))
        total = weights.sum(axis=1)
        yield weights @ measured.labels / (total + 0.05)
        yield np.log(total + 1e-3)


def _label_processes(measured: Measurements) -> Iterator[GaussianProcess]:
    # That nothing at all is OK needs no measurement.
    known = np.vstack([measured.rates, np.zeros((1, measured.rates.shape[1]))])
    labels = np.append(measured.labels, -1.0)
    for length, noise in ((0.3, 0.1), (1.0, 0.2), (0.12, 0.1)):
        yield GaussianProcess(known, labels, length=length, noise=noise)


def _carried_over(rates: Floats, measured: Measurements, limits: OverloadConfig) -> Iterator[Floats]:
    """The margin if each function could serve what it served where it was overloaded, wherever that was."""
    overloaded = measured.labels > 0
    n = len(rates)
    if not overloaded.any():
        yield from (np.full(n, _MARGINS[1]) for _ in range(4))
        yield np.zeros(n)
        return
    success, base = measured.success[overloaded], measured.rates[overloaded]
    served = np.where(success < SATURATED, base * success, np.inf)
    expected = np.minimum(1.0, served[None] / np.maximum(rates[:, None], 1e-9))  # (k, overloaded, F)
    margins = _success_margin(expected, limits)
    squared = _squared_distances(rates, base)
    for width in (0.08, 0.25):
        weights = np.exp(-squared / (2 * width**2)) + 1e-9
        yield ((weights * margins).sum(axis=1) / weights.sum(axis=1)).clip(*_MARGINS)
    yield margins[np.arange(n), squared.argmin(axis=1)].clip(*_MARGINS)
    yield np.median(margins, axis=1).clip(*_MARGINS)
    yield np.ones(n)


def _use_process(measured: Measurements, used_pct: Floats, limit_pct: float) -> GaussianProcess | None:
    """Return a process on the use of CPU or RAM as a share of its limit; None where it was never measured."""
    known = ~np.isnan(used_pct)
    if not known.any():
        return None
    points = np.vstack([measured.rates[known], np.zeros((1, measured.rates.shape[1]))])
    use = np.append(used_pct[known] / (limit_pct or 1), 0.0)  # a node at rest uses nothing
    return GaussianProcess(points, use, length=1.0, noise=0.0015, height=0.3)


def _limit(rates: Floats, process: GaussianProcess | None) -> Iterator[Floats]:
    """How far over its limit CPU or RAM is likely to be, how uncertain that is, and the one over the other."""
    if process is None:
        yield from (np.zeros(len(rates)), np.ones(len(rates)), np.zeros(len(rates)))
        return
    mean, deviation = process.at(rates)
    over = (mean - 1).clip(-1, 1)
    deviation = np.minimum(deviation, 1)
    yield from (over, deviation, (over / np.hypot(deviation, 0.03)).clip(-5, 5))


@dataclass(frozen=True, slots=True)
class _Slots:
    """Of a function: its latency (log, without its mean) as a process, and what is known of its slots."""

    latency: GaussianProcess
    offset: float  # mean log latency less the log of the slots
    known: float  # 1 where it was ever short of slots, else 0


def _slots(measured: Measurements, f: int) -> _Slots | None:
    """Return what is known of function ``f``; None where none of its requests ever succeeded."""
    answered = ~np.isnan(measured.mean_ms[:, f]) & (measured.rates[:, f] > 0) & (measured.success[:, f] > LEAST_SUCCESS)
    if not answered.any():
        return None
    offered, success = measured.rates[answered, f], measured.success[answered, f]
    latency = np.log(np.maximum(measured.mean_ms[answered, f], 1e-3))
    mean = float(latency.mean())
    process = GaussianProcess(measured.rates[answered], latency - mean, length=0.5, noise=0.003, slope=0.3, height=0.5)
    in_flight = np.log(offered) + latency
    full = success < SATURATED
    # Of a function that was never short of slots there are at least a few more than were ever taken.
    slots = float(np.median((in_flight + np.log(success))[full])) if full.any() else float(in_flight.max()) + 0.3
    return _Slots(process, mean - slots, float(full.any()))


def _load(rates: Floats, slots: Sequence[_Slots | None], limits: OverloadConfig) -> Iterator[Floats]:
    """How full each function's slots would be, and the margin that this makes."""
    parts = [_asked(rates, of_function, f) for f, of_function in enumerate(slots)]
    asked, deviations = (np.array(part) for part in zip(*parts, strict=True))
    known = np.array([of_function.known if of_function else 0.0 for of_function in slots])
    asked = asked.clip(-3, 2)
    success = success_at(asked)
    worst, each = asked.argmax(axis=0), np.arange(len(rates))
    yield asked.max(axis=0)
    yield deviations[worst, each]
    yield known[worst]
    yield _success_margin(success.T, limits).clip(*_MARGINS)
    yield (asked.max(axis=0) / np.hypot(deviations[worst, each], 0.05**0.5)).clip(-6, 6)
    yield np.full(len(rates), known.mean())


def _asked(rates: Floats, slots: _Slots | None, f: int) -> tuple[Floats, Floats]:
    """Return how full the slots of function ``f`` would be (log), and how uncertain that is, (k,) each."""
    if slots is None:
        return np.zeros(len(rates)), np.ones(len(rates))
    mean, deviation = slots.latency.at(rates)
    asked = np.log(np.maximum(rates[:, f], 1e-6)) + mean + slots.offset
    return np.where(rates[:, f] > 0, asked, -3.0), deviation


def _counts(counts: Counts) -> Iterator[Floats]:
    below, above = np.log(counts.below), np.log(counts.above)
    n = np.log(np.full(len(below), counts.n))
    yield from (above, below, above - below, above - n, below - n, n)


def _progress(rates: Floats, measured: Measurements) -> Iterator[Floats]:
    n = len(rates)
    yield np.full(n, len(measured) / 100)
    yield np.full(n, (measured.labels > 0).mean() if len(measured) else 0.0)
    yield from (rates.mean(axis=1), rates.max(axis=1), rates.min(axis=1))


def _success_margin(success: Floats, limits: OverloadConfig) -> Floats:
    """Return the smaller of the margins of the worst function and of the mean; success is (..., F)."""
    worst = success.min(axis=-1) / (limits.success_rate_function_min or 1) - 1
    return np.minimum(worst, success.mean(axis=-1) / (limits.success_rate_node_min or 1) - 1)


def _squared_distances(one: Floats, other: Floats) -> Floats:
    squared: Floats = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    return squared


def _taxicab(distances: Floats) -> Floats:
    nearest: Floats = distances.sum(axis=2).min(axis=1)
    return nearest


def _greatest(distances: Floats) -> Floats:
    nearest: Floats = distances.max(axis=2).min(axis=1)
    return nearest


def _euclidean(distances: Floats) -> Floats:
    nearest: Floats = np.sqrt((distances**2).sum(axis=2).min(axis=1))
    return nearest


def _log(distances: Floats) -> Floats:
    return np.log(distances + _STEP)
