"""Maps in a recording: what was measured of each context and set of functions, under one shape of space for all.

Notation: ``k`` rows of a group, ``L`` functions in each of its configurations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import DENSE_LIMIT, is_dense
from peva_env.memory import node_name
from peva_env.memory.parquet import Recording
from peva_env.memory.tensors import FUNCTION_QUANTITIES, Rows
from peva_env.space import ConfigSpace

_RATE = FUNCTION_QUANTITIES.index("rate_rps")


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one context and one set of functions."""

    context_hash: str
    names: tuple[str, ...]
    rows: NDArray[np.int64]  # (k,)
    measured: NDArray[np.int64]  # (k, L): where the measurements of its functions are
    rates_rps: NDArray[np.int64]  # (k, L)

    def cells(self, space: ConfigSpace) -> NDArray[np.int64]:
        """Return the index (k,) of each row's configuration in a space that has its rates."""
        offset, shape = space.block(self.names)
        positions = [space.functions.index(name) for name in self.names]
        levels = [
            np.searchsorted(space.rates_rps[position], rates)
            for position, rates in zip(positions, self.rates_rps.T, strict=True)
        ]
        within: NDArray[np.int64] = np.ravel_multi_index(levels, shape)
        return offset + within


@dataclass(frozen=True, slots=True)
class RecordedMap:
    """What was recorded of one context and one set of functions, and of the sets within it."""

    name: str
    context_hash: str
    functions: tuple[str, ...]
    groups: tuple[Group, ...]

    def verdicts(self, rows: Rows) -> set[bool]:
        """Return what the majorities of its configurations say: overloaded (true), not, or both in turn."""
        own = np.concatenate([group.rows for group in self.groups])
        _, config = np.unique(rows.keys["config_id"][own], return_inverse=True)
        return set((np.bincount(config, rows.keys["label"][own]) > 0).tolist())


def recorded_maps(recording: Recording) -> list[RecordedMap]:
    """Return all maps of a recording, sorted by name.

    A set of functions within a larger recorded set of the same context is part of the larger one's map: campaigns
    measure functions alone and together. A map is called ``NODE:a+b``, and if that is not unique ``NODE:a+b:HASH``.
    """
    groups = list(_groups(recording.rows))
    maps = []
    for context_hash in recording.rows.context_hash.values:
        node = node_name(recording.contexts.get(context_hash, {})) or context_hash
        own = [group for group in groups if group.context_hash == context_hash]
        sets = [frozenset(group.names) for group in own]
        for largest in own:
            if not any(frozenset(largest.names) < other for other in sets):
                within = tuple(group for group in own if set(group.names) <= set(largest.names))
                name = f"{node}:{'+'.join(largest.names)}"
                maps.append(RecordedMap(name, context_hash, largest.names, within))
    return sorted(_uniquely_named(maps), key=lambda one: one.name)


def selected(maps: Sequence[RecordedMap], wanted: Sequence[str] | None) -> list[RecordedMap]:
    """Return the maps of these names, or whose names begin so, in this order; all of them for None.

    Raises:
        ConfigError: there is none of such a name.
    """
    if wanted is None:
        return list(maps)
    chosen: dict[str, RecordedMap] = {}
    for text in wanted:
        found = [one for one in maps if one.name == text] or [one for one in maps if one.name.startswith(text)]
        if not found:
            names = [one.name for one in maps]
            near = get_close_matches(text, names, n=1, cutoff=0.0)
            raise ConfigError(
                f"scenario {text!r} is not recorded; did you mean {near[0]!r}? There are: {', '.join(names)}"
            )
        chosen |= {one.name: one for one in found}
    if not chosen:
        raise ConfigError("scenarios = []: name at least one, or leave it out for all of them")
    return list(chosen.values())


def shared_spaces(maps: Sequence[RecordedMap]) -> list[ConfigSpace]:
    """Return the space of each map: all of one shape, with what was recorded of any of them.

    Raises:
        ConfigError: the maps are of different numbers of functions, or the space is too large to hold its labels.
    """
    if len({len(one.functions) for one in maps}) > 1:
        listed = ", ".join(f"{one.name} ({len(one.functions)})" for one in maps)
        raise ConfigError(
            f"the maps are of different numbers of functions; choose some of one number with scenarios=[...]: {listed}"
        )
    rates = _rates_by_position(maps)
    smallest = min(len(group.names) for one in maps for group in one.groups)
    spaces = [
        ConfigSpace(
            dict(zip(one.functions, rates, strict=True)),
            min_functions=smallest,
            max_functions=len(one.functions) + 1,
        )
        for one in maps
    ]
    if not is_dense(spaces[0]):
        raise ConfigError(
            f"the recorded rates span {spaces[0].n_configs:,} configurations, more than {DENSE_LIMIT:,} cannot be "
            "replayed; choose maps of fewer rates or functions with scenarios=[...]"
        )
    return spaces


def _rates_by_position(maps: Sequence[RecordedMap]) -> list[list[int]]:
    rates: list[set[int]] = [set() for _ in maps[0].functions]
    for one in maps:
        for group in one.groups:
            for name, column in zip(group.names, group.rates_rps.T, strict=True):
                rates[one.functions.index(name)].update(np.unique(column).tolist())
    return [sorted(some) for some in rates]


def _groups(rows: Rows) -> Iterator[Group]:
    n_of = np.bincount(rows.owner, minlength=len(rows.of_run))
    starts = np.cumsum(n_of) - n_of
    kind = _kinds(rows, n_of, starts)
    order = kind.argsort(kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        measured = starts[own][:, None] + np.arange(n_of[own[0]])
        names = tuple(rows.function.values[code] for code in rows.function.codes[measured[0]])
        context_hash = rows.context_hash.values[rows.context_hash.codes[own[0]]]
        yield Group(context_hash, names, own, measured, rows.of_function[measured, _RATE].astype(np.int64))


def _kinds(rows: Rows, n_of: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number (n,) for each row, equal where context and functions are."""
    kind = rows.context_hash.codes
    for place in range(int(n_of.max())):
        has = n_of > place
        code = np.zeros(len(kind), np.int64)
        code[has] = rows.function.codes[starts[has] + place] + 1
        _, kind = np.unique(kind * (len(rows.function.values) + 1) + code, return_inverse=True)
    return kind


def _uniquely_named(maps: Sequence[RecordedMap]) -> Iterator[RecordedMap]:
    names = [one.name for one in maps]
    for one in maps:
        name = one.name if names.count(one.name) == 1 else f"{one.name}:{one.context_hash}"
        yield RecordedMap(name, one.context_hash, one.functions, one.groups)
