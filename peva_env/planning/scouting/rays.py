"""The steps along a ray: a climb by doubling, then a ladder of equal steps within the interval where it broke."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from peva_env.config import DfaasConfig
from peva_env.planning.scouting.brackets import Bracket
from peva_env.space import Config

_FIRST_RPS = 10
"""Rate of the first step of a function. At lower rates a step of some seconds has too few requests to be judged."""

_GROWTH = 2
_LADDER = 8
"""Steps of a ladder: a limit is then known to within 1/16 to 1/8 of it."""

_TOGETHER = (0.25, 0.5, 1.0)
"""Shares of the limits of single functions at which all are loaded together."""


class Limits(NamedTuple):
    """Upper bounds of a scouting in requests per second: of a function, and of all together (None: no bound)."""

    max_rate_rps: int
    max_total_rps: int | None = None


def rays(config: DfaasConfig, limits: Limits) -> dict[str, list[Config]]:
    """Return the climb of each function alone, by its name."""
    return {function.name: climb(function.name, _highest(function.max_rate, limits)) for function in config.functions}


def climb(name: str, highest_rps: int) -> list[Config]:
    """Return the first steps of a function: each twice the rate of the one before, the last ``highest_rps``."""
    rates = [_FIRST_RPS]
    while rates[-1] * _GROWTH < highest_rps:
        rates.append(rates[-1] * _GROWTH)
    return [[(name, rate)] for rate in sorted({min(rate, highest_rps) for rate in (*rates, highest_rps)}) if rate]


def together(singles: Sequence[Bracket], limits: Limits) -> list[Config]:
    """Return the first steps of all functions together, in proportion to what each bears alone.

    There are none if a function bears nothing, or if there is only one.
    """
    tops = [bracket.ok if bracket.first_overloaded else bracket.highest_ok for bracket in singles]
    if len(tops) < 2 or any(top is None for top in tops):
        return []
    whole = [pair for top in tops for pair in top or ()]
    return _unique([_scaled(whole, share, limits) for share in _TOGETHER])


def ladder(bracket: Bracket) -> list[Config]:
    """Return the finer steps of a ray: from above the highest OK step to the lowest overloaded one, this once more.

    There are none if no step was overloaded. Below the first step of a climb the ladder begins above 0.
    """
    high = bracket.first_overloaded
    if high is None:
        return []
    low = bracket.ok or [(name, 0) for name, _ in high]
    shares = [i / _LADDER for i in range(1, _LADDER + 1)]
    return _unique([
        [(name, round(a + share * (b - a))) for (name, a), (_, b) in zip(low, high, strict=True)] for share in shares
    ])  # fmt: skip


def _scaled(whole: Config, share: float, limits: Limits) -> Config:
    total = sum(rate for _, rate in whole)
    if limits.max_total_rps is not None:
        share = min(share, limits.max_total_rps / total)
    return [(name, max(1, math.floor(share * rate))) for name, rate in sorted(whole)]


def _unique(configs: Sequence[Config]) -> list[Config]:
    """Return the configurations with load of all functions, each once, in order."""
    found: Mapping[tuple[tuple[str, int], ...], Config] = {
        tuple(config): config for config in configs if all(rate for _, rate in config)
    }
    return list(found.values())


def _highest(own: int | None, limits: Limits) -> int:
    bounds = (limits.max_rate_rps, own, limits.max_total_rps)
    return min(bound for bound in bounds if bound is not None)
