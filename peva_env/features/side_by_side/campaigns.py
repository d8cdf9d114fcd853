"""What many campaigns have measured, and the features of their candidates.

Notation: ``n`` campaigns, ``m`` of them; ``T`` measured configurations of a campaign, ``k`` candidates, ``F``
functions. Rates are shares of each function's highest rate. Rows of a campaign with fewer than ``T`` measurements are
padding: their label is 0.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features.candidate_features import LATENCY_LENGTH, LENGTHS_AND_NOISES
from peva_env.features.catalogue import N_OF_CANDIDATE
from peva_env.features.measured import Measurements
from peva_env.features.processes import USE_HEIGHT, USE_LENGTH, USE_NOISE
from peva_env.features.side_by_side.carried import Overloaded
from peva_env.features.side_by_side.distances import Apart, distance_features, neighbour_features
from peva_env.features.side_by_side.load import Latencies, limit_features, load_features
from peva_env.features.side_by_side.parts import parts_of
from peva_env.features.side_by_side.processes import Kernel, Processes
from peva_env.features.slots import LATENCY_HEIGHT, LATENCY_NOISE, LATENCY_SLOPE

type Floats = NDArray[np.float64]
type Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """One measurement in each of ``m`` campaigns. What was not measured is NaN."""

    rates: Floats  # (m, F)
    labels: Floats  # (m,): -1 OK, 1 overloaded
    success: Floats  # (m, F): 1 for a function that is absent
    mean_ms: Floats  # (m, F)
    cpu_pct: Floats  # (m,)
    ram_pct: Floats  # (m,)

    @classmethod
    def of(cls, measured: Measurements, row: int) -> "Runs":
        """Return one row of the measurements of one campaign."""
        return cls(*(getattr(measured, field.name)[row : row + 1] for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class CountsOfMany:
    """How many of ``n`` (m,) unknown configurations an OK or an overloaded verdict resolves, (m, k) each."""

    below: Numbers
    above: Numbers
    n: Numbers

    def of(self, campaigns: Numbers) -> "CountsOfMany":
        """Return the counts of some campaigns."""
        return CountsOfMany(self.below[campaigns], self.above[campaigns], self.n[campaigns])


class Campaigns:
    """The measurements of ``n`` campaigns of ``n_functions`` functions, under the rules ``limits``."""

    def __init__(self, n: int, n_functions: int, limits: OverloadConfig) -> None:
        self._limits = limits
        self._limits_pct = [limits.cpu_overload_pct_of_capacity, limits.ram_overload_pct]
        self.n_measured = np.zeros(n, np.int64)
        self._rates, self._labels = np.zeros((n, 16, n_functions)), np.zeros((n, 16))
        self._overloaded = Overloaded(n, n_functions)
        self._latencies = Latencies(n, n_functions)
        self._processes = _processes(n, n_functions)
        self._has_use = np.zeros((n, 2), np.bool_)

    def begin(self, where: Numbers) -> None:
        """Forget what campaigns ``where`` have measured. No load at all is OK, and uses nothing."""
        self.n_measured[where] = 0
        self._labels[where] = 0
        self._has_use[where] = False
        self._overloaded.begin(where)
        self._latencies.begin(where)
        self._processes.begin(where)
        n_functions = self._rates.shape[2]
        at_rest = [*(-1.0 for _ in LENGTHS_AND_NOISES), 0.0, 0.0, *([np.nan] * n_functions)]
        self._processes.add(where, np.zeros((len(where), n_functions)), np.tile(at_rest, (len(where), 1)))

    def add(self, where: Numbers, runs: Runs) -> None:
        """Add a measurement of another configuration to each campaign of ``where`` (m,)."""
        slots = self.n_measured[where]
        room = self._labels.shape[1]
        if slots.max(initial=0) >= room:
            self._rates = np.pad(self._rates, [(0, 0), (0, room), (0, 0)])
            self._labels = np.pad(self._labels, [(0, 0), (0, room)])
        self._rates[where, slots], self._labels[where, slots] = runs.rates, runs.labels
        self.n_measured[where] += 1
        over = runs.labels > 0
        self._overloaded.add(where[over], runs.rates[over], runs.success[over])
        log_ms = self._latencies.add(where, runs.rates, runs.success, runs.mean_ms)
        uses = np.stack([self._use(runs.cpu_pct, 0), self._use(runs.ram_pct, 1)], axis=1)
        self._has_use[where] |= ~np.isnan(uses)
        labels = np.repeat(runs.labels[:, None], len(LENGTHS_AND_NOISES), axis=1)
        self._processes.add(where, runs.rates, np.hstack([labels, uses, log_ms]))

    def rows(self, campaigns: Numbers, candidates: Floats, counts: CountsOfMany) -> Floats:
        """Return the features of candidates (m, k, F) in ``campaigns`` (m,), (m, k, d), without those of campaigns."""
        order = np.argsort(self.n_measured[campaigns], kind="stable")
        features = np.empty((N_OF_CANDIDATE, *candidates.shape[:2]))
        for which in parts_of(self.n_measured[campaigns[order]]):
            part = order[which]
            columns = self._columns(campaigns[part], candidates[part], counts.of(part))
            for row, column in zip(features, columns, strict=True):
                row[which] = column
        in_order: Floats = features.transpose(1, 2, 0)[np.argsort(order, kind="stable")]
        return in_order

    def of_campaigns(self, campaigns: Numbers, n_unknown: Numbers) -> Floats:
        """Return the features that all candidates of a campaign share, (m, c)."""
        n_measured = self.n_measured[campaigns]
        n_overloaded = self._overloaded.n_runs[campaigns]
        columns = [
            n_overloaded > 0,
            self._latencies.slots(campaigns)[1].mean(axis=1),
            np.log(np.maximum(n_unknown, 1)),
            n_measured / 100,
            n_overloaded / np.maximum(n_measured, 1),
        ]
        return np.column_stack(columns)

    def _columns(self, campaigns: Numbers, candidates: Floats, counts: CountsOfMany) -> list[Floats]:
        most, n_labels = int(self.n_measured[campaigns].max(initial=0)), len(LENGTHS_AND_NOISES)
        labels = self._labels[campaigns, :most]
        apart = Apart.of(candidates, self._rates[campaigns, :most], labels)
        means, deviations = self._processes.at(campaigns, candidates, self._means(campaigns))
        return [
            *distance_features(candidates, apart, labels),
            *neighbour_features(apart.squared, labels),
            *(part[:, i] for i in range(n_labels) for part in (means, deviations)),
            *self._overloaded.features(campaigns, candidates, self._limits),
            *(
                column
                for i in range(2)
                for column in limit_features(
                    means[:, n_labels + i], deviations[:, n_labels + i], self._has_use[campaigns, i]
                )
            ),
            *load_features(
                candidates,
                means[:, n_labels + 2 :],
                deviations[:, n_labels + 2 :],
                *self._latencies.slots(campaigns),
                self._limits,
            ),
            *_counts(counts),
            candidates.mean(axis=2),
            candidates.max(axis=2),
            candidates.min(axis=2),
        ]

    def _means(self, campaigns: Numbers) -> Floats:
        """Return what is subtracted from the values of the processes, (m, G): the mean logarithm of each latency."""
        latencies = self._latencies.mean_log_ms(campaigns)
        return np.hstack([np.zeros((len(campaigns), len(LENGTHS_AND_NOISES) + 2)), latencies])

    def _use(self, used_pct: Floats, which: int) -> Floats:
        limit_pct = self._limits_pct[which]
        return np.full(len(used_pct), np.nan) if limit_pct is None else used_pct / (limit_pct or 1)


def _processes(n: int, n_functions: int) -> Processes:
    """Return the processes on labels, CPU, RAM and latencies, with the parameters of ``peva_env.features``."""
    n_labels = len(LENGTHS_AND_NOISES)
    kernels = [Kernel(length, 1.0, 1.0, slice(i, i + 1)) for i, (length, _) in enumerate(LENGTHS_AND_NOISES)]
    kernels.append(Kernel(USE_LENGTH, 1.0, USE_HEIGHT, slice(n_labels, n_labels + 2)))
    latencies = slice(n_labels + 2, n_labels + 2 + n_functions)
    kernels.append(Kernel(LATENCY_LENGTH, LATENCY_SLOPE, LATENCY_HEIGHT, latencies))
    noise = [*(noise for _, noise in LENGTHS_AND_NOISES), USE_NOISE, USE_NOISE, *([LATENCY_NOISE] * n_functions)]
    return Processes(n, n_functions, tuple(kernels), np.array(noise))


def _counts(counts: CountsOfMany) -> list[Floats]:
    below, above, n = np.log(counts.below), np.log(counts.above), np.log(counts.n)[:, None]
    return [above, below, above - below, above - n, below - n]
