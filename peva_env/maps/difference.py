"""How two maps differ: what a node bore before a change and bears after it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.frontier import MonotoneMap, is_dense
from peva_env.maps.node_map import NodeMap
from peva_env.rate_grid import OK_LABEL, OVERLOADED_LABEL, RateGrid
from peva_env.space import Config, ConfigSpace, config_pairs


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the configurations of two maps that are known, measured or inferred, in both.

    ``lost`` were OK and are OVERLOADED, ``gained`` the other way round; ``lowest_lost`` are those below all others that
    were lost of the same functions, ``highest_gained`` those above all others that were gained. ``n_ok`` and
    ``n_overloaded`` stayed so; ``n_unknown`` are known in one map only. ``left_out`` are the functions that only one of
    them has. ``changes`` are the entries of the context that differ, as (name, before, after).
    """

    functions: tuple[str, ...]
    lost: tuple[Config, ...]
    gained: tuple[Config, ...]
    lowest_lost: tuple[Config, ...]
    highest_gained: tuple[Config, ...]
    n_ok: int
    n_overloaded: int
    n_unknown: int
    changes: tuple[tuple[str, Any, Any], ...]
    left_out: tuple[str, ...]

    @property
    def lost_share(self) -> float:
        """The lost part of what was OK before, and is known after, 0..1."""
        return len(self.lost) / max(1, len(self.lost) + self.n_ok)


def compare(before: NodeMap, after: NodeMap) -> Difference:
    """Compare the maps of a node before and after a change, or of two nodes, on the functions that both have.

    Both are looked at in one space, with the rates of either, so that what one map has measured can be compared with
    what follows in the other. How each infers stays as it was.

    Raises:
        ConfigError: they have no function in common, or too many rates to be looked at one by one.
    """
    shared = sorted(set(before.known.space.functions) & set(after.known.space.functions))
    if not shared:
        raise ConfigError(
            f"{before.memory} and {after.memory} have no function in common: "
            f"{', '.join(before.known.space.functions)}; {', '.join(after.known.space.functions)}"
        )
    space = _shared_space(before.known.space, after.known.space, shared)
    was, became = (_labels(one, space) for one in (before, after))
    lost = (was == OK_LABEL) & (became == OVERLOADED_LABEL)
    gained = (was == OVERLOADED_LABEL) & (became == OK_LABEL)
    grid = RateGrid(space)
    everything = {*before.known.space.functions, *after.known.space.functions}
    return Difference(
        functions=tuple(shared),
        lost=_configs(space, lost.nonzero()[0]),
        gained=_configs(space, gained.nonzero()[0]),
        lowest_lost=_configs(space, grid.extremes(lost.nonzero()[0], OVERLOADED_LABEL, "within_sets")),
        highest_gained=_configs(space, grid.extremes(gained.nonzero()[0], OK_LABEL, "within_sets")),
        n_ok=int(((was == OK_LABEL) & (became == OK_LABEL)).sum()),
        n_overloaded=int(((was == OVERLOADED_LABEL) & (became == OVERLOADED_LABEL)).sum()),
        n_unknown=int(((was == 0) ^ (became == 0)).sum()),
        changes=tuple(_changes(before.context, after.context)),
        left_out=tuple(sorted(everything - set(shared))),
    )


def _shared_space(one: ConfigSpace, other: ConfigSpace, functions: list[str]) -> ConfigSpace:
    rates = {name: {*_rates(one, name), *_rates(other, name)} for name in functions}
    least = max(one.min_functions, other.min_functions)
    most = min(one.max_functions, other.max_functions, len(functions) + 1)
    if least >= most:
        raise ConfigError(f"no configuration of {' + '.join(functions)} is of as many functions as both maps have")
    space = ConfigSpace(rates, min_functions=least, max_functions=most)
    if not is_dense(space):
        raise ConfigError(f"the maps span {space.n_configs:,} configurations together, too many: name fewer functions")
    return space


def _rates(space: ConfigSpace, function: str) -> tuple[int, ...]:
    return space.rates_rps[space.functions.index(function)]


def _labels(node_map: NodeMap, space: ConfigSpace) -> NDArray[np.int8]:
    """Return what a map says in another space, (N,); unknown where nothing follows from its measurements."""
    known = MonotoneMap(space, dominance=node_map.known.dominance)
    measured = node_map.known.measured.items()
    known.update_all({key: verdict for key, verdict in measured if config_pairs(key) in space})
    assert known.labels is not None  # noqa: S101 - the space is dense
    return known.labels


def _configs(space: ConfigSpace, indices: NDArray[np.int64]) -> tuple[Config, ...]:
    return tuple(space.config(int(index)) for index in indices)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the entries of nested plain data that differ, in alphabetical order."""
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        where = f"{path}.{name}" if path else name
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _changes(one, other, where)
        elif one != other:
            yield where, one, other
