"""A small part of the map of each node of a fleet, for pages that show them side by side.

A part has a cell for each pair of rates of two functions, or for each rate of one, while the others stay at fixed
rates. All nodes show the same part, where they have it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import Cell, cell_codes
from peva_env.maps import NodeMap
from peva_env.space import Config, ConfigKey, ConfigSpace, config_pairs

_MAX_LEVELS = 40
"""Largest number of rates of a function in a part; of more rates every n-th is in it."""

_AXES = 2

_MOSTLY_SAME = 1.5
"""The rates of all nodes may be so many times those of the node with most; else each node shows its own."""


def fleet_data(maps: Mapping[str, NodeMap]) -> list[dict[str, Any]]:
    """Return the part of each node's map as plain data, in their order.

    ``x`` and ``y`` are axes (``y`` is None for one function): the function, and the label of each level. ``cells`` are
    the ``Cell`` of each row and column. ``others`` are the fixed rates of the other functions.
    """
    spaces = [one.known.space for one in maps.values()]
    shared = set.intersection(*(set(space.functions) for space in spaces))
    fixed = Counter(others for one in maps.values() for others in _others(one, _axes(one, shared)))
    return [_part(one, _axes(one, shared), fixed, spaces) for one in maps.values()]


def _axes(one: NodeMap, shared: Iterable[str]) -> Sequence[str]:
    """Return the functions of the axes: the first two that all nodes have, or else the node's own."""
    functions = one.known.space.functions
    common = [name for name in functions if name in shared]
    return (common if len(common) >= min(_AXES, len(functions)) else functions)[:_AXES]


def _others(one: NodeMap, axes: Sequence[str]) -> Iterator[ConfigKey]:
    """Yield the rates of the other functions in each measured configuration."""
    for key in one.runs:
        yield _key(pair for pair in config_pairs(key) if pair[0] not in axes)


def _key(pairs: Iterable[tuple[str, int]]) -> ConfigKey:
    there = list(pairs)
    return tuple(name for name, _ in there), tuple(rate for _, rate in there)


def _part(
    one: NodeMap, axes: Sequence[str], fixed: Counter[ConfigKey], spaces: Sequence[ConfigSpace]
) -> dict[str, Any]:
    space, codes = one.known.space, cell_codes(one.known, one.begun)
    own = Counter(_others(one, axes))
    # Of rates with equally many runs, those of fewer functions: the axes alone, if they were measured alone.
    others = config_pairs(min(own, key=lambda key: (-fixed[key], len(key[0]), key), default=((), ())))
    can_be_absent = len(others) + len(axes) > space.min_functions
    x, *rest = (_levels(_rates(name, space, spaces), can_be_absent=can_be_absent) for name in axes)
    y: Sequence[int | None] = rest[0] if rest else [None]
    cells = [[_cell(space, codes, axes, (left, up), others) for left in x] for up in y]
    return {
        "x": _axis(axes[0], x),
        "y": _axis(axes[1], y) if rest else None,
        "cells": cells,
        "others": [f"{name} {rate} rps" for name, rate in others],
    }


def _rates(name: str, space: ConfigSpace, spaces: Iterable[ConfigSpace]) -> Sequence[int]:
    """Return the rates of a function on all nodes if most of them are the same, else those of one node."""
    grids = [set(one.rates_rps[one.functions.index(name)]) for one in spaces if name in one.functions]
    union = set().union(*grids)
    own = space.rates_rps[space.functions.index(name)]
    return sorted(union) if len(union) <= _MOSTLY_SAME * max(map(len, grids)) else own


def _levels(rates: Sequence[int], *, can_be_absent: bool) -> list[int | None]:
    """Return the rates that are shown of a function; None, first, if it can be absent."""
    step = -(-len(rates) // _MAX_LEVELS)
    absent = [None] if can_be_absent else []
    return [*absent, *(rate for place, rate in enumerate(rates, 1) if (len(rates) - place) % step == 0)]


def _cell(
    space: ConfigSpace,
    codes: NDArray[np.uint8],
    axes: Sequence[str],
    rates: Sequence[int | None],
    others: Config,
) -> int:
    loaded = [(name, rate) for name, rate in zip(axes, rates, strict=False) if rate is not None]
    config = sorted([*loaded, *others])
    return int(codes[space.index(config)]) if config in space else Cell.ABSENT


def _axis(name: str, levels: Sequence[int | None]) -> dict[str, Any]:
    return {"function": name, "levels": ["none" if rate is None else str(rate) for rate in levels]}
