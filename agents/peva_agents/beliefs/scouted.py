"""Where the frontier lies, as far as a scouting knows: the limits of rays, and what lies between them.

A ray of a single function gives its limit alone, ``L_f``. The ray of all functions together says how much they disturb
each other: the exponent ``q`` of

    load(x) = (sum over f of (x_f / L_f)^q)^(1/q)

for which the load is 1 at the limit of this ray. With ``q = 1`` functions share one resource, with a large ``q`` each
has its own. A configuration is probably overloaded where its load is above 1. This is evidence for a choice, never a
verdict.

Notation: ``k`` candidates, ``F`` functions.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.planning import Bracket, brackets
from peva_env.space import ConfigSpace

type Floats = NDArray[np.float64]

_LEAST_Q, _MOST_Q = 0.7, 8.0
_USUAL_Q = 1.5
"""Exponent without a ray of several functions."""

_BEYOND = 1.2
"""Limit of a function that never broke, as a multiple of the highest rate that was tried."""

_ALONE, _MIXED = 0.06, 0.15
"""Standard deviations of the logarithm of the load, for a function alone and for several."""


@dataclass(frozen=True)
class ScoutedFrontier:
    """The frontier by a scouting: ``limits_rps`` (F,) and the exponent."""

    limits_rps: Floats
    exponent: float

    @classmethod
    def of(cls, space: ConfigSpace, history: Iterable[ExecutionEvent]) -> "ScoutedFrontier | None":
        """Return the frontier by the steps of a history, or None if a function of the space was not scouted."""
        found = {bracket.names: bracket for bracket in brackets(history)}
        limits = [_limit_rps(found.get((name,))) for name in space.functions]
        if any(limit is None for limit in limits):
            return None
        limits_rps = np.array(limits, np.float64)
        return cls(limits_rps, _exponent(space, limits_rps, found.get(space.functions)))

    def log_load(self, rates_rps: NDArray[np.int32]) -> Floats:
        """Return the logarithm of the load of candidates (k, F), (k,)."""
        shares = np.maximum(rates_rps / self.limits_rps, 1e-9)
        logs: Floats = np.log((shares**self.exponent).sum(axis=1)) / self.exponent
        return logs

    def likely(self, rates_rps: NDArray[np.int32]) -> Floats:
        """Return how likely each candidate (k, F) is overloaded, (k,)."""
        deviation = np.where((rates_rps > 0).sum(axis=1) > 1, _MIXED, _ALONE)
        p: Floats = 1 / (1 + np.exp(-1.7 * self.log_load(rates_rps) / deviation))
        return p


def _limit_rps(bracket: Bracket | None) -> float | None:
    if bracket is None or len(bracket.names) != 1:
        return None
    middle = bracket.limit_rps()
    if middle:
        return middle[bracket.names[0]]
    if bracket.first_overloaded is None:
        assert bracket.highest_ok is not None  # noqa: S101 - a bracket has a valid step
        return _BEYOND * bracket.highest_ok[0][1]
    return bracket.first_overloaded[0][1] / 2


def _exponent(space: ConfigSpace, limits_rps: Floats, together: Bracket | None) -> float:
    """Return the exponent for which the load is 1 at the limit of the ray of all functions."""
    if together is None or len(space.functions) == 1:
        return _USUAL_Q
    middle = together.limit_rps()
    if middle is None:
        return _MOST_Q if together.first_overloaded is None else _LEAST_Q
    shares = np.array([middle[name] for name in space.functions]) / limits_rps
    low, high = _LEAST_Q, _MOST_Q
    for _ in range(40):
        q = (low + high) / 2
        if (shares**q).sum() > 1:  # shares below 1: a larger exponent makes a smaller sum
            low = q
        else:
            high = q
    return (low + high) / 2
