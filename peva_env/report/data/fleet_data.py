"""A small part of the map of each node of a fleet, for pages that show them side by side.

A part has a cell for each pair of rates of two functions, or for each rate of one, while the others stay at fixed
rates. All nodes show the same part, where they have it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import Cell, cell_codes
from peva_env.maps import NodeMap
from peva_env.report.data.map_data import NOT_PREDICTED, percent_of
from peva_env.space import Config, ConfigKey, ConfigSpace, config_pairs

_MAX_LEVELS = 40
"""Largest number of rates of a function in a part; of more rates every n-th is in it."""

_AXES = 2

_MOSTLY_SAME = 1.5
"""The rates of all nodes may be so many times those of the node with most; else each node shows its own."""


type Part = tuple[Sequence[str], Config]
"""The functions of the axes, the one across first, and the fixed rates of the other functions."""


def fleet_data(
    maps: Mapping[str, NodeMap], probabilities: Mapping[str, NDArray[np.float64] | None]
) -> list[dict[str, Any]]:
    """Return the part of each node's map as plain data, in their order.

    ``x`` and ``y`` are axes (``y`` is None for one function): the function, and the label of each level. ``cells`` are
    the ``Cell`` of each row and column, ``predicted`` their probabilities of overload in percent, ``NOT_PREDICTED`` for
    none. ``others`` are the fixed rates of the other functions.

    Args:
        maps: the map of each node.
        probabilities: of each node, the probability of overload of each unknown configuration, (n_unknown,), or None.
    """
    spaces = [one.known.space for one in maps.values()]
    return [
        _part(one, part, spaces, probabilities[name])
        for (name, one), part in zip(maps.items(), fleet_parts(maps.values()), strict=True)
    ]


def fleet_parts(maps: Collection[NodeMap]) -> list[Part]:
    """Return which part is shown of each node's map, in their order."""
    shared = set.intersection(*(set(one.known.space.functions) for one in maps))
    axes = [_axes(one, shared) for one in maps]
    own = [Counter(_others(one, names)) for one, names in zip(maps, axes, strict=True)]
    n_of = sum(own, Counter[ConfigKey]())

    def rank(key: ConfigKey) -> tuple[int, int, ConfigKey]:
        """Most runs first; of equally many, fewest functions: the axes alone, if they were measured alone."""
        return -n_of[key], len(key[0]), key

    return [(names, config_pairs(min(keys, key=rank, default=((), ())))) for names, keys in zip(axes, own, strict=True)]


def _axes(one: NodeMap, shared: Iterable[str]) -> Sequence[str]:
    """Return the functions of the axes: the first two that all nodes have, or else the node's own."""
    functions = one.known.space.functions
    common = [name for name in functions if name in shared]
    return (common if len(common) >= min(_AXES, len(functions)) else functions)[:_AXES]


def _others(one: NodeMap, axes: Sequence[str]) -> Iterator[ConfigKey]:
    """Yield the rates of the other functions in each configuration that was run."""
    for config in one.begun:
        yield _key(pair for pair in config if pair[0] not in axes)


def _key(pairs: Iterable[tuple[str, int]]) -> ConfigKey:
    there = list(pairs)
    return tuple(name for name, _ in there), tuple(rate for _, rate in there)


def _part(
    one: NodeMap, part: Part, spaces: Sequence[ConfigSpace], probabilities: NDArray[np.float64] | None
) -> dict[str, Any]:
    space, (axes, others) = one.known.space, part
    codes = cell_codes(one.known, one.begun)
    percent = np.full(len(codes), NOT_PREDICTED) if probabilities is None else percent_of(codes, probabilities)
    can_be_absent = len(others) + len(axes) > space.min_functions
    x, *rest = (_levels(_rates(name, space, spaces), can_be_absent=can_be_absent) for name in axes)
    y: Sequence[int | None] = rest[0] if rest else [None]
    grid = [[_index(space, axes, (across, up), others) for across in x] for up in y]
    return {
        "x": _axis(axes[0], x),
        "y": _axis(axes[1], y) if rest else None,
        "cells": [[int(Cell.ABSENT if index is None else codes[index]) for index in row] for row in grid],
        "predicted": [[int(NOT_PREDICTED if index is None else percent[index]) for index in row] for row in grid],
        "others": list(_others_texts([name for name in space.functions if name not in axes], dict(others))),
    }


def _others_texts(names: Sequence[str], rates_rps: Mapping[str, int]) -> Iterator[str]:
    """Yield the load of each of these functions; several that are not loaded are summed up."""
    yield from (f"{name} {rates_rps[name]} rps" for name in names if name in rates_rps)
    idle = [name for name in names if name not in rates_rps]
    if idle:
        yield f"{idle[0] if len(idle) == 1 else 'others'} not loaded"


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


def _index(space: ConfigSpace, axes: Sequence[str], rates: Sequence[int | None], others: Config) -> int | None:
    """Return the index of a cell's configuration; None if the space has none."""
    loaded = [(name, rate) for name, rate in zip(axes, rates, strict=False) if rate is not None]
    config = sorted([*loaded, *others])
    return space.index(config) if config in space else None


def _axis(name: str, levels: Sequence[int | None]) -> dict[str, Any]:
    return {"function": name, "levels": ["none" if rate is None else str(rate) for rate in levels]}
