"""Mixes that are OK although fewer functions, at no higher rates, are overloaded.

That is no contradiction: the rule on the mean success averages over the functions of a configuration, so that a
function with a high success rate raises it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from peva_env.contracts import Verdict
from peva_env.inference import MonotoneMap
from peva_env.space import Config, config_pairs

WHY_ADDING_HELPS = (
    "adding a function can make a mix OK, because the rule on the mean success averages over the functions of a mix"
)
"""The explanation, without its full stop."""


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
    lowest = known.frontier()[0]
    measured = [config_pairs(key) for key, verdict in known.measured.items() if verdict is Verdict.OK]
    found = ((config, _below(config, lowest)) for config in measured)
    return [AddedFunction(config, below) for config, below in found if below is not None]


def is_above_fewer(known: MonotoneMap, config: Config) -> bool:
    """Tell whether a configuration loads all functions of an overloaded one at least as much, and others beside.

    In a space that is too large to list the answer is no.
    """
    return known.labels is not None and _below(config, known.frontier()[0]) is not None


def _below(config: Config, overloaded: list[Config]) -> Config | None:
    return next((low for low in overloaded if _is_above_with_more(dict(config), dict(low))), None)


def _is_above_with_more(high: Mapping[str, int], low: Mapping[str, int]) -> bool:
    return len(high) > len(low) and all(high.get(name, -1) >= rate for name, rate in low.items())
