"""Mixes that are OK although fewer functions, at no higher rates, are overloaded.

That is no contradiction: the rule on the mean success averages over the functions of a configuration, so that a
function with a high success rate raises it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from peva_env.contracts import Verdict
from peva_env.inference import MonotoneMap
from peva_env.space import Config, config_pairs

WHY_ADDING_HELPS = (
    "adding a function can make a mix OK, because the rule on the mean success averages over the functions of a mix"
)
"""The explanation, without its full stop."""

_NOT_LOADED = -1
"""In place of a rate: a function may be loaded at rate 0."""


class AddedFunction(NamedTuple):
    """A measured configuration that is OK, and an overloaded one of fewer functions, at no higher rates."""

    ok: Config
    overloaded: Config


def added_functions(known: MonotoneMap) -> list[AddedFunction]:
    """Return the measured OK configurations above an overloaded one of fewer functions, each once.

    In a space that is too large to list none are found.
    """
    if known.labels is None:
        return []
    measured = [config_pairs(key) for key, verdict in known.measured.items() if verdict is Verdict.OK]
    found = zip(measured, _below(known, measured), strict=True)
    return [AddedFunction(config, below) for config, below in found if below is not None]


def is_above_fewer(known: MonotoneMap, config: Config) -> bool:
    """Tell whether a configuration loads all functions of an overloaded one at least as much, and others beside.

    In a space that is too large to list the answer is no.
    """
    return known.labels is not None and _below(known, [config]) != [None]


def _below(known: MonotoneMap, configs: Sequence[Config]) -> list[Config | None]:
    """Return an overloaded configuration of fewer functions below each configuration, or None."""
    place = {name: column for column, name in enumerate(known.space.functions)}
    rates_rps = np.full((len(configs), len(place)), _NOT_LOADED)
    for row, config in enumerate(configs):
        for name, rate in config:
            rates_rps[row, place[name]] = rate
    n_functions = (rates_rps != _NOT_LOADED).sum(axis=1)
    found: list[Config | None] = [None] * len(configs)
    for low in reversed(known.frontier()[0]):  # so that the first one stays
        columns, lowest_rps = [place[name] for name, _ in low], [rate for _, rate in low]
        is_above = (rates_rps[:, columns] >= lowest_rps).all(axis=1) & (n_functions > len(low))
        for row in is_above.nonzero()[0].tolist():
            found[row] = low
    return found
