"""How full the functions' slots would be, and CPU and RAM, in many campaigns side by side.

Notation: ``n`` campaigns, ``m`` of them; ``k`` candidates, ``F`` functions, ``T`` runs in which a function was short of
slots. The formulas are those of ``peva_env.features.slots`` and ``peva_env.features.candidate_features``.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features.candidate_features import MARGINS, success_margin
from peva_env.features.slots import HEADROOM, IDLE, LEAST_SUCCESS, SATURATED, success_at

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]


class Latencies:
    """The log latencies of ``n`` campaigns of ``F`` functions, and the logs of the numbers of slots seen."""

    def __init__(self, n: int, n_functions: int) -> None:
        self._n_answered = np.zeros((n, n_functions), np.int64)
        self._total = np.zeros((n, n_functions))  # of the log latencies
        self._most_in_flight = np.zeros((n, n_functions))  # log of the requests
        self._n_full = np.zeros((n, n_functions), np.int64)
        self._slots = np.zeros((n, n_functions, 8))  # logs of the slots, in each run that was short of them

    def begin(self, where: Numbers) -> None:
        """Forget the latencies of campaigns ``where``."""
        self._n_answered[where] = self._n_full[where] = 0
        self._total[where] = 0
        self._most_in_flight[where] = -np.inf

    def add(self, where: Numbers, rates: Floats, success: Floats, mean_ms: Floats) -> Floats:
        """Add a run (m, F) to each campaign of ``where`` (m,); return the log latencies, NaN where nothing answered."""
        answered = ~np.isnan(mean_ms) & (rates > 0) & (success > LEAST_SUCCESS)
        log_ms = np.log(np.where(answered, np.maximum(mean_ms, 1e-3), 1.0))
        in_flight = np.log(np.where(answered, rates, 1.0)) + log_ms
        self._n_answered[where] += answered
        self._total[where] += log_ms
        self._most_in_flight[where] = np.maximum(self._most_in_flight[where], np.where(answered, in_flight, -np.inf))
        rows, functions = (answered & (success < SATURATED)).nonzero()
        campaigns, slots = where[rows], in_flight[rows, functions] + np.log(success[rows, functions])
        places, room = self._n_full[campaigns, functions], self._slots.shape[2]
        if places.max(initial=0) >= room:
            self._slots = np.pad(self._slots, [(0, 0), (0, 0), (0, room)])
        self._slots[campaigns, functions, places] = slots
        self._n_full[campaigns, functions] += 1
        return np.where(answered, log_ms, np.nan)

    def mean_log_ms(self, campaigns: Numbers) -> Floats:
        """Return the mean log latency of each function, (m, F); 0 where nothing answered."""
        mean: Floats = self._total[campaigns] / np.maximum(self._n_answered[campaigns], 1)
        return mean

    def slots(self, campaigns: Numbers) -> tuple[Floats, Flags, Flags]:
        """Return mean log latency less log slots, whether that is known, and whether anything answered, (m, F) each."""
        n_full, answered = self._n_full[campaigns], self._n_answered[campaigns] > 0
        most = max(1, int(n_full.max(initial=0)))
        ordered = self._slots[campaigns, :, :most]
        ordered = np.sort(np.where(np.arange(most) < n_full[:, :, None], ordered, np.inf), axis=2)
        rows, functions = np.arange(len(n_full))[:, None], np.arange(n_full.shape[1])
        low = ordered[rows, functions, np.maximum(n_full - 1, 0) // 2]
        high = ordered[rows, functions, np.minimum(n_full // 2, most - 1)]
        known = n_full > 0
        seen = np.where(answered, self._most_in_flight[campaigns] + HEADROOM, 0.0)
        log_slots = np.where(known, (np.where(known, low, 0) + np.where(known, high, 0)) / 2, seen)
        return self.mean_log_ms(campaigns) - log_slots, known, answered


def load_features(
    candidates: Floats,
    log_ms: Floats,
    deviations: Floats,
    offset: Floats,
    known: Flags,
    answered: Flags,
    limits: OverloadConfig,
) -> list[Floats]:
    """Return the features of the load, (m, k) each.

    ``log_ms`` and ``deviations`` (m, F, k) are predicted log latencies less their means; the others are those of
    ``Latencies.slots``.
    """
    offered = candidates.transpose(0, 2, 1)  # (m, F, k)
    fullness = np.log(np.maximum(offered, 1e-6)) + log_ms + offset[:, :, None]
    fullness = np.where(offered > 0, fullness, IDLE)
    fullness = np.where(answered[:, :, None], fullness, 0.0).clip(-3, 2)
    deviations = np.where(answered[:, :, None], deviations, 1.0)
    rows, columns = np.arange(len(fullness))[:, None], np.arange(fullness.shape[2])
    worst = fullness.argmax(axis=1)
    highest, deviation = fullness[rows, worst, columns], deviations[rows, worst, columns]
    return [
        highest,
        deviation,
        known[rows, worst],
        success_margin(success_at(fullness).transpose(0, 2, 1), limits).clip(*MARGINS),
        (highest / np.hypot(deviation, 0.05**0.5)).clip(-6, 6),
    ]


def limit_features(mean: Floats, deviation: Floats, has_value: Flags) -> list[Floats]:
    """Return predicted excess over a limit, its deviation, and their ratio, (m, k) each; ``has_value`` is (m,)."""
    has_value = has_value[:, None]
    over = np.where(has_value, (mean - 1).clip(-1, 1), 0.0)
    deviation = np.where(has_value, np.minimum(deviation, 1), 1.0)
    return [over, deviation, (over / np.hypot(deviation, 0.03)).clip(-5, 5)]
