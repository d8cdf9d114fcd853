"""The difference of two maps: which loads a node could bear before a change, and which after it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.config import require_level
from peva_env.errors import ConfigError
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, RateGrid, above_any, below_any
from peva_env.maps.node_map import NodeMap
from peva_env.maps.shared_side import Proof, SharedSide
from peva_env.planning import Candidates
from peva_env.space import Config, ConfigSpace

LEVEL = 0.95
"""Confidence that the verdicts before and after must both have, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration, and the proofs of its verdicts before and after; None where it is unknown."""

    config: Config
    before: Proof | None
    after: Proof | None


@dataclass(frozen=True, slots=True)
class MapDifference:
    """The configurations that are known (measured or inferred) in both of two maps, by their verdicts before and after.

    ``lost`` were OK and are OVERLOADED, ``gained`` were OVERLOADED and are OK, both surely: the runs of both sides
    exclude chance at the ``level``. ``undecided`` have other verdicts before and after, but not surely. ``lowest_lost``
    are the minimal lost configurations, ``highest_gained`` the maximal gained ones. ``n_ok`` and ``n_overloaded`` count
    those whose verdict stayed the same; ``n_unknown`` those that are known in one map only. ``n_safe`` counts all that
    were OK, ``n_safe_undecided`` and ``n_safe_unknown`` those of them that are undecided, or not known any more.
    ``left_out`` are the functions that only one map has. ``changes`` are the entries of the context that differ, as
    (name, before, after).
    """

    functions: tuple[str, ...]
    level: float
    lost: Candidates
    gained: Candidates
    undecided: Candidates
    lowest_lost: Candidates
    highest_gained: Candidates
    n_ok: int
    n_overloaded: int
    n_unknown: int
    n_safe: int
    n_safe_undecided: int
    n_safe_unknown: int
    changes: tuple[tuple[str, Any, Any], ...]
    left_out: tuple[str, ...]
    before: SharedSide
    after: SharedSide

    @property
    def n_known(self) -> int:
        """The number of configurations that are known in both maps."""
        return self.n_ok + self.n_overloaded + len(self.lost) + len(self.gained) + len(self.undecided)

    @property
    def lost_share(self) -> float:
        """The share of the configurations OK before, and known after, that is lost, 0..1."""
        return len(self.lost) / max(1, len(self.lost) + self.n_ok + self.n_safe_undecided)

    @property
    def coverage(self) -> float:
        """The share of the configurations OK before that is still OK or lost, 0..1; 1 if none was OK before."""
        return 1 - (self.n_safe_undecided + self.n_safe_unknown) / max(1, self.n_safe)

    def proofs(self, configs: Candidates) -> Iterator[Change]:
        """Yield configurations of this comparison with the runs before and after that speak most for their verdicts."""
        for config, index in zip(configs, configs.indices.tolist(), strict=True):
            yield Change(config, self.before.proof(index), self.after.proof(index))


def compare(before: NodeMap, after: NodeMap, *, level: float = LEVEL) -> MapDifference:
    """Compare the maps of a node before and after a change, or of two nodes, on the functions that both have.

    Both maps are put into one space with the rates and the numbers of functions of either, so that a measurement of
    one can be compared with an inference of the other. Each map keeps its own dominance.

    A change counts only if it is sure on both sides: on a node that did not change, one of the two verdicts is wrong,
    and a wrong one is sure with a probability of at most ``1 - level``. If both sides have equally many runs, both have
    to err, and the probability is at most ``(1 - level) ** 2`` for each configuration: the product of two normal tails
    is largest at equal distances, because the logarithm of the normal distribution is concave.

    Raises:
        ConfigError: the level is not between 0.5 and 1, the maps have no function in common, no configuration is known
            in both, or the common space is too large to list.
    """
    require_level("level", level)
    shared = sorted(set(before.known.space.functions) & set(after.known.space.functions))
    if not shared:
        raise ConfigError(
            f"{before.memory} and {after.memory} have no function in common: "
            f"{', '.join(before.known.space.functions)}; {', '.join(after.known.space.functions)}"
        )
    space = _shared_space(before.known.space, after.known.space, shared)
    grid = RateGrid(space)
    difference = _difference(space, *(SharedSide(one, space, grid, level) for one in (before, after)))
    if not difference.n_known:
        raise ConfigError(
            f"{before.memory} and {after.memory}: no configuration of {' + '.join(shared)} is known in both"
        )
    return difference


def _difference(space: ConfigSpace, before: SharedSide, after: SharedSide) -> MapDifference:
    was, became = before.labels, after.labels
    lost = (before.sure == OK_LABEL) & (after.sure == OVERLOADED_LABEL)
    gained = (before.sure == OVERLOADED_LABEL) & (after.sure == OK_LABEL)
    lost &= (was == OK_LABEL) & (became == OVERLOADED_LABEL)
    gained &= (was == OVERLOADED_LABEL) & (became == OK_LABEL)
    differs = (was != UNKNOWN_LABEL) & (became != UNKNOWN_LABEL) & (was != became)
    undecided, safe = differs & ~lost & ~gained, was == OK_LABEL
    return MapDifference(
        functions=space.functions,
        level=before.level,
        lost=_marked(space, lost),
        gained=_marked(space, gained),
        undecided=_marked(space, undecided),
        lowest_lost=_marked(space, lost & ~above_any(space, lost)),
        highest_gained=_marked(space, gained & ~below_any(space, gained)),
        n_ok=int((safe & (became == OK_LABEL)).sum()),
        n_overloaded=int(((was == OVERLOADED_LABEL) & (became == OVERLOADED_LABEL)).sum()),
        n_unknown=int(((was == UNKNOWN_LABEL) ^ (became == UNKNOWN_LABEL)).sum()),
        n_safe=int(safe.sum()),
        n_safe_undecided=int((safe & undecided).sum()),
        n_safe_unknown=int((safe & (became == UNKNOWN_LABEL)).sum()),
        changes=tuple(_changes(before.map.context, after.map.context)),
        left_out=tuple(
            sorted({*before.map.known.space.functions, *after.map.known.space.functions} - set(space.functions))
        ),
        before=before,
        after=after,
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
