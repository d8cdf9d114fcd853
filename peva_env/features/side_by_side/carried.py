"""Margins of candidates at the capacity that overloaded runs have shown, in many campaigns side by side.

Notation: ``n`` campaigns, ``m`` of them; ``T`` overloaded runs, ``k`` candidates, ``F`` functions.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features.candidate_features import CARRIED_WIDTHS, MARGINS
from peva_env.features.slots import SATURATED

type Floats = NDArray[np.float64]
type Numbers = NDArray[np.int64]

_LEAST_WEIGHT = 1e-9


class Overloaded:
    """The overloaded runs of ``n`` campaigns, and what each function served in them."""

    def __init__(self, n: int, n_functions: int) -> None:
        self.n_runs = np.zeros(n, np.int64)
        self._rates, self._served = np.zeros((n, 8, n_functions)), np.zeros((n, 8, n_functions))

    def begin(self, where: Numbers) -> None:
        """Forget the runs of campaigns ``where``."""
        self.n_runs[where] = 0

    def add(self, where: Numbers, rates: Floats, success: Floats) -> None:
        """Add an overloaded run to each campaign of ``where`` (m,), with rates and success rates (m, F)."""
        slots, room = self.n_runs[where], self._rates.shape[1]
        if slots.max(initial=0) >= room:
            self._rates, self._served = (
                np.pad(array, [(0, 0), (0, room), (0, 0)]) for array in (self._rates, self._served)
            )
        self._rates[where, slots] = rates
        self._served[where, slots] = np.where(success < SATURATED, rates * success, np.inf)
        self.n_runs[where] += 1

    def features(self, campaigns: Numbers, candidates: Floats, limits: OverloadConfig) -> list[Floats]:
        """Return the margins of candidates (m, k, F), (m, k) each."""
        n_runs = self.n_runs[campaigns]
        is_run = np.arange(int(n_runs.max(initial=0)))[None, :] < n_runs[:, None]  # (m, T)
        none = n_runs == 0
        if none.all():
            return [np.full(candidates.shape[:2], MARGINS[1]) for _ in range(4)]
        runs = campaigns, slice(is_run.shape[1])
        margins, squared = _margins(candidates, self._rates[runs], self._served[runs], limits)
        found = []
        for width in CARRIED_WIDTHS:
            weights = np.exp(squared * (-1 / (2 * width**2)))
            weights += _LEAST_WEIGHT
            weights *= is_run[:, :, None]
            found.append((weights * margins).sum(axis=1) / np.maximum(weights.sum(axis=1), _LEAST_WEIGHT))
        squared += np.where(is_run, 0.0, np.inf)[:, :, None]
        m, k = candidates.shape[:2]
        found.append(margins[np.arange(m)[:, None], squared.argmin(axis=1), np.arange(k)])
        found.append(_median(margins, is_run))
        return [np.where(none[:, None], MARGINS[1], column.clip(*MARGINS)) for column in found]


def _margins(candidates: Floats, rates: Floats, served: Floats, limits: OverloadConfig) -> tuple[Floats, Floats]:
    """Return the margins of candidates (m, k, F) if they are served as in runs (m, T, F), and squared distances.

    Both are (m, T, k). The margin is the smaller of those of the worst function and of the mean, as in
    ``success_margin``.
    """
    shape = (len(rates), rates.shape[1], candidates.shape[1])
    worst, total, squared = np.ones(shape), np.zeros(shape), np.zeros(shape)
    for f in range(candidates.shape[2]):
        own = candidates[:, None, :, f]
        difference = own - rates[:, :, None, f]
        difference *= difference
        squared += difference
        success = served[:, :, None, f] / np.maximum(own, 1e-9)
        np.minimum(success, 1.0, out=success)
        np.minimum(worst, success, out=worst)
        total += success
    worst *= 1 / (limits.success_rate_function_min or 1)
    total *= 1 / (candidates.shape[2] * (limits.success_rate_node_min or 1))
    margins = np.minimum(worst, total, out=worst)
    margins -= 1
    return margins, squared


def _median(margins: Floats, is_run: NDArray[np.bool_]) -> Floats:
    """Return the median over the runs of each campaign, (m, k)."""
    ordered = np.where(is_run[:, None, :], margins.transpose(0, 2, 1), np.inf)
    ordered.sort(axis=2)
    n_runs = np.maximum(is_run.sum(axis=1), 1)
    campaigns = np.arange(len(margins))
    middle: Floats = (ordered[campaigns, :, (n_runs - 1) // 2] + ordered[campaigns, :, n_runs // 2]) / 2
    return middle
