"""The order of a certificate in which a loss would show first."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from peva_env.features import highest_rps
from peva_env.inference import EarlierMap
from peva_env.space import Config, ConfigSpace


def in_order_of_risk(earlier: EarlierMap) -> list[Config]:
    """Return the certificate of an earlier map in the order in which a loss would show first, then a gain."""
    return [*_in_turn(earlier.space, earlier.ok, 1), *_in_turn(earlier.space, earlier.overloaded, -1)]


def _in_turn(space: ConfigSpace, configs: Sequence[Config], step: int) -> list[Config]:
    """Return configurations in turn for each function: those first in which its next rate is relatively nearest.

    ``step`` is 1 for the next higher rate, -1 for the next lower one.
    """
    loads = (space.rates_of(configs) / highest_rps(space)).sum(axis=1)
    nearest = []
    for name in space.functions:
        distances = [_distance(space, config, name, step) for config in configs]
        nearest.append(np.lexsort((-step * loads, np.array(distances))).tolist())
    return [configs[place] for place in dict.fromkeys(chain.from_iterable(zip(*nearest, strict=True)))]


def _distance(space: ConfigSpace, config: Config, function: str, step: int) -> float:
    """Return the distance of a function's rate to the next one, as a share of the higher of both; 1 without one."""
    rates, rate = space.rates_rps[space.functions.index(function)], dict(config).get(function)
    place = -1 if rate is None else rates.index(rate) + step
    if rate is None or not 0 <= place < len(rates):
        return 1.0
    return abs(rates[place] - rate) / max(rates[place], rate)
