"""The probability that a node breaks an overload rule under unmeasured loads.

Each quantity of the rules has a Gaussian process: CPU, RAM, and the latency of each function, from which its success is
computed (``peva_env.features.slots``). The rules are applied to draws of all quantities; the probability is the share
of draws that break a rule.

Notation: ``k`` candidates, ``F`` functions, ``D`` draws. Rates are shares of each function's highest rate.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.features import HEADROOM, GaussianProcess, Measurements, Slots, label_process, success_at, use_process

type Floats = NDArray[np.float64]

_N_DRAWS = 48

_PROBIT = 0.7978845608
"""``(1 + tanh(x sqrt(2 / pi))) / 2`` is the normal distribution function within 0.018."""


class NodeBelief:
    """Probabilities of overload, from processes that are fitted once to what was measured.

    Args:
        measured: the measurements.
        rules: the rules of overload.
    """

    def __init__(self, measured: Measurements, rules: OverloadConfig) -> None:
        n_functions = measured.rates.shape[1]
        self._rules = rules
        self._is_empty = not len(measured)
        self._labels = label_process(measured, length=0.5, noise=0.1)
        self._slots = [
            Slots.fitted(measured, function, length=0.8, rounded_edge=True) for function in range(n_functions)
        ]
        self._uses = [
            use_process(measured, measured.cpu_pct, rules.cpu_overload_pct_of_capacity),
            use_process(measured, measured.ram_pct, rules.ram_overload_pct),
        ]
        # Always the same draws, so that the same measurements give the same choice.
        rng = np.random.default_rng(0)
        self._normal = rng.standard_normal((n_functions + 2, _N_DRAWS))
        self._headroom = rng.exponential(size=(n_functions, _N_DRAWS))

    def breaks_a_rule(self, rates: Floats) -> Floats:
        """Return how likely each configuration (k, F) breaks a rule, (k,); 0.5 where nothing was measured."""
        if self._is_empty:
            return np.full(len(rates), 0.5)
        success = np.stack([self._success(function, rates) for function in range(rates.shape[1])])  # (F, k, D)
        broken = (success < (self._rules.success_rate_function_min or 0.0)).any(axis=0)
        n_loaded = np.maximum((rates > 0).sum(axis=1), 1)[:, None]
        broken |= 1 - (1 - success).sum(axis=0) / n_loaded < (self._rules.success_rate_node_min or 0.0)
        for process, normal in zip(self._uses, self._normal[-2:], strict=True):
            broken |= _is_over_limit(process, rates, normal)
        return (broken.sum(axis=1) + 0.5) / (_N_DRAWS + 1)

    def labelled_overloaded(self, rates: Floats) -> Floats:
        """Return how likely each configuration (k, F) is overloaded, by the labels of its neighbours, (k,)."""
        mean, deviation = self._labels.next_value_at(rates)
        likely: Floats = (1 + np.tanh(_PROBIT * mean / deviation)) / 2
        return likely

    def _success(self, function: int, rates: Floats) -> Floats:
        """Draw a function's success, (k, D); 1 where it was never measured."""
        slots = self._slots[function]
        if slots is None:
            return np.ones((len(rates), _N_DRAWS))
        mean, deviation = slots.next_log_fullness(rates)
        drawn = mean[:, None] + deviation[:, None] * self._normal[function]
        if not slots.known:
            drawn += HEADROOM - self._headroom[function]
        return success_at(drawn.clip(-3, 3))


def _is_over_limit(process: GaussianProcess | None, rates: Floats, normal: Floats) -> NDArray[np.bool_]:
    """Draw whether CPU or RAM is over its limit, (k, D); never where it was not measured."""
    if process is None:
        return np.zeros((len(rates), len(normal)), np.bool_)
    mean, deviation = process.next_value_at(rates)
    over: NDArray[np.bool_] = mean[:, None] + deviation[:, None] * normal > 1
    return over
