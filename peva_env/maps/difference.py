"""The difference of two maps: which loads a node could bear before a change, and which after it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, MonotoneMap, above_any, below_any
from peva_env.maps.node_map import NodeMap
from peva_env.planning import Candidates
from peva_env.space import ConfigSpace, config_pairs


@dataclass(frozen=True, slots=True)
class MapDifference:
    """The configurations that are known (measured or inferred) in both of two maps, by their verdicts before and after.

    ``lost`` were OK and are OVERLOADED; ``gained`` were OVERLOADED and are OK. ``lowest_lost`` are the minimal lost
    configurations, ``highest_gained`` the maximal gained ones. ``n_ok`` and ``n_overloaded`` count those whose verdict
    stayed the same; ``n_unknown`` those that are known in one map only. ``left_out`` are the functions that only one
    map has. ``changes`` are the entries of the context that differ, as (name, before, after).
    """

    functions: tuple[str, ...]
    lost: Candidates
    gained: Candidates
    lowest_lost: Candidates
    highest_gained: Candidates
    n_ok: int
    n_overloaded: int
    n_unknown: int
    changes: tuple[tuple[str, Any, Any], ...]
    left_out: tuple[str, ...]

    @property
    def n_known(self) -> int:
        """The number of configurations that are known in both maps."""
        return self.n_ok + self.n_overloaded + len(self.lost) + len(self.gained)

    @property
    def lost_share(self) -> float:
        """The share of the configurations OK before, and known after, that is lost, 0..1."""
        return len(self.lost) / max(1, len(self.lost) + self.n_ok)


def compare(before: NodeMap, after: NodeMap) -> MapDifference:
    """Compare the maps of a node before and after a change, or of two nodes, on the functions that both have.

    Both maps are put into one space with the rates and the numbers of functions of either, so that a measurement of
    one can be compared with an inference of the other. Each map keeps its own dominance.

    Raises:
        ConfigError: the maps have no function in common, no configuration is known in both, or the common space is too
            large to list.
    """
    shared = sorted(set(before.known.space.functions) & set(after.known.space.functions))
    if not shared:
        raise ConfigError(
            f"{before.memory} and {after.memory} have no function in common: "
            f"{', '.join(before.known.space.functions)}; {', '.join(after.known.space.functions)}"
        )
    space = _shared_space(before.known.space, after.known.space, shared)
    was, became = (_labels(one, space) for one in (before, after))
    difference = _difference(space, was, became, before, after)
    if not difference.n_known:
        raise ConfigError(
            f"{before.memory} and {after.memory}: no configuration of {' + '.join(shared)} is known in both"
        )
    return difference


def _difference(
    space: ConfigSpace, was: NDArray[np.int8], became: NDArray[np.int8], before: NodeMap, after: NodeMap
) -> MapDifference:
    lost = (was == OK_LABEL) & (became == OVERLOADED_LABEL)
    gained = (was == OVERLOADED_LABEL) & (became == OK_LABEL)
    return MapDifference(
        functions=space.functions,
        lost=_marked(space, lost),
        gained=_marked(space, gained),
        lowest_lost=_marked(space, lost & ~above_any(space, lost)),
        highest_gained=_marked(space, gained & ~below_any(space, gained)),
        n_ok=int(((was == OK_LABEL) & (became == OK_LABEL)).sum()),
        n_overloaded=int(((was == OVERLOADED_LABEL) & (became == OVERLOADED_LABEL)).sum()),
        n_unknown=int(((was == UNKNOWN_LABEL) ^ (became == UNKNOWN_LABEL)).sum()),
        changes=tuple(_changes(before.context, after.context)),
        left_out=tuple(sorted({*before.known.space.functions, *after.known.space.functions} - set(space.functions))),
    )


def _shared_space(one: ConfigSpace, other: ConfigSpace, functions: list[str]) -> ConfigSpace:
    rates = {name: {*_rates(one, name), *_rates(other, name)} for name in functions}
    least, most = min(one.min_functions, other.min_functions), max(one.max_functions, other.max_functions)
    if least > len(functions):
        raise ConfigError(
            f"no configuration consists only of {' + '.join(functions)}, the functions that both maps have"
        )
    space = ConfigSpace(rates, min_functions=least, max_functions=most)
    if not space.is_dense:
        raise ConfigError(f"the maps span {space.n_configs:,} configurations together, too many: name fewer functions")
    return space


def _rates(space: ConfigSpace, function: str) -> tuple[int, ...]:
    return space.rates_rps[space.functions.index(function)]


def _labels(node_map: NodeMap, space: ConfigSpace) -> NDArray[np.int8]:
    """Return the labels of a map in another space, (N,); unknown where nothing follows from its measurements."""
    known = MonotoneMap(space, dominance=node_map.known.dominance)
    measured = node_map.known.measured.items()
    known.update_all({key: verdict for key, verdict in measured if config_pairs(key) in space})
    known.quarantine(*(config for config in node_map.known.quarantined() if config in space))
    assert known.labels is not None  # noqa: S101 - the space is dense
    return known.labels


def _marked(space: ConfigSpace, marked: NDArray[np.bool_]) -> Candidates:
    return Candidates(space, marked.nonzero()[0])


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the entries of nested plain data that differ, in alphabetical order."""
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        where = f"{path}.{name}" if path else name
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _changes(one, other, where)
        elif one != other:
            yield where, one, other
