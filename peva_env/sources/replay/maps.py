"""Recorded maps: the runs of each context and set of functions, and spaces of one shape for all maps of a world.

Notation: ``k`` rows of a group, ``L`` functions in each of its configurations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.memory import node_name
from peva_env.memory.parquet import Recording
from peva_env.memory.tensors import RECORDED_QUANTITIES, Rows
from peva_env.space import DENSE_LIMIT, ConfigSpace

_RATE = RECORDED_QUANTITIES.index("rate_rps")


@dataclass(frozen=True, slots=True)
class RecordedGroup:
    """The rows of one context and one set of functions."""

    context_hash: str
    names: tuple[str, ...]
    rows: NDArray[np.int64]  # (k,)
    measured: NDArray[np.int64]  # (k, L): rows of the functions' measurements in Rows.of_function
    rates_rps: NDArray[np.int64]  # (k, L)

    def config_indices(self, space: ConfigSpace) -> NDArray[np.int64]:
        """Return the index (k,) of each row's configuration in a space that includes the rates of all rows."""
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
    """The recorded runs of one context and one set of functions, its subsets included."""

    name: str
    context_hash: str
    functions: tuple[str, ...]
    groups: tuple[RecordedGroup, ...]

    def verdicts(self, rows: Rows) -> set[bool]:
        """Return the distinct majority verdicts of its configurations; true is overloaded."""
        own = np.concatenate([group.rows for group in self.groups])
        _, config = np.unique(rows.keys["config_id"][own], return_inverse=True)
        return set((np.bincount(config, rows.keys["label"][own]) > 0).tolist())


def recorded_maps(recording: Recording) -> list[RecordedMap]:
    """Return all maps of a recording, sorted by name.

    Campaigns measure functions alone and together. So a set of functions belongs to the map of each larger recorded set
    of the same context. The name of a map is ``NODE:a+b``, or ``NODE:a+b:HASH`` where that is not unique.
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
    return sorted(_uniquely_named(maps), key=lambda recorded_map: recorded_map.name)


def names_by_size(recording: Recording) -> list[list[str]]:
    """Return the names of the maps that have both verdicts, grouped by their number of functions, in its order."""
    groups: dict[int, list[str]] = {}
    for one in recorded_maps(recording):
        if len(one.verdicts(recording.rows)) > 1:
            groups.setdefault(len(one.functions), []).append(one.name)
    return [groups[size] for size in sorted(groups)]


def matching_names(names: Sequence[str], text: str) -> list[str]:
    """Return the names of maps that a text selects: a whole name, or a prefix that ends in ``*``."""
    prefix = text.removesuffix("*")
    return [name for name in names if name == text or (prefix != text and name.startswith(prefix))]


def select_maps(maps: Sequence[RecordedMap], wanted: Sequence[str] | None) -> list[RecordedMap]:
    """Return the maps with these names or prefixes, in the order of ``wanted``; None selects all.

    A prefix may end in ``*``; it need not where no map has it for its whole name.

    Raises:
        ConfigError: a name matches no map, or ``wanted`` is empty.
    """
    if wanted is None:
        return list(maps)
    named = {recorded_map.name: recorded_map for recorded_map in maps}
    names, chosen = list(named), dict[str, RecordedMap]()
    for text in wanted:
        found = matching_names(names, text) or matching_names(names, f"{text}*")
        if not found:
            near = get_close_matches(text, names, n=1, cutoff=0.0)
            raise ConfigError(
                f"scenario {text!r} is not recorded; did you mean {near[0]!r}? There are: {', '.join(names)}"
            )
        chosen |= {name: named[name] for name in found}
    if not chosen:
        raise ConfigError("scenarios = []: give at least one name, or omit scenarios for all of them")
    return list(chosen.values())


def shared_spaces(maps: Sequence[RecordedMap]) -> list[ConfigSpace]:
    """Return the space of each map. All have the same shape: function ``i`` has the rates of function ``i`` of any map.

    Raises:
        ConfigError: the maps have different numbers of functions, or the space is larger than ``DENSE_LIMIT``.
    """
    if len({len(recorded_map.functions) for recorded_map in maps}) > 1:
        listed = ", ".join(f"{recorded_map.name} ({len(recorded_map.functions)})" for recorded_map in maps)
        raise ConfigError(
            f"the maps have different numbers of functions; choose maps of one number with scenarios=[...]: {listed}"
        )
    rates = _rates_by_position(maps)
    smallest = min(len(group.names) for recorded_map in maps for group in recorded_map.groups)
    spaces = [
        ConfigSpace(
            dict(zip(recorded_map.functions, rates, strict=True)),
            min_functions=smallest,
            max_functions=len(recorded_map.functions) + 1,
        )
        for recorded_map in maps
    ]
    if not spaces[0].is_dense:
        raise ConfigError(
            f"the recorded rates span {spaces[0].n_configs:,} configurations, but a replay takes at most "
            f"{DENSE_LIMIT:,}; choose maps of fewer rates or functions with scenarios=[...]"
        )
    return spaces


def _rates_by_position(maps: Sequence[RecordedMap]) -> list[list[int]]:
    rates: list[set[int]] = [set() for _ in maps[0].functions]
    for recorded_map in maps:
        for group in recorded_map.groups:
            for name, column in zip(group.names, group.rates_rps.T, strict=True):
                rates[recorded_map.functions.index(name)].update(np.unique(column).tolist())
    return [sorted(distinct) for distinct in rates]


def _groups(rows: Rows) -> Iterator[RecordedGroup]:
    n_of = np.bincount(rows.owner, minlength=len(rows.of_run))
    starts = np.cumsum(n_of) - n_of
    kind = _kinds(rows, n_of, starts)
    order = kind.argsort(kind="stable")
    order = order[rows.keys["label"][order] != 0]  # the others have no verdict under the rules of the question
    if not order.size:
        return
    for own in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        measured = starts[own][:, None] + np.arange(n_of[own[0]])
        names = tuple(rows.function.values[code] for code in rows.function.codes[measured[0]])
        context_hash = rows.context_hash.values[rows.context_hash.codes[own[0]]]
        yield RecordedGroup(context_hash, names, own, measured, rows.of_function[measured, _RATE].astype(np.int64))


def _kinds(rows: Rows, n_of: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number (n,) for each row: rows with the same context and functions have the same number."""
    kind = rows.context_hash.codes
    for position in range(int(n_of.max())):
        has = n_of > position
        code = np.zeros(len(kind), np.int64)
        code[has] = rows.function.codes[starts[has] + position] + 1
        _, kind = np.unique(kind * (len(rows.function.values) + 1) + code, return_inverse=True)
    return kind


def _uniquely_named(maps: Sequence[RecordedMap]) -> Iterator[RecordedMap]:
    names = [recorded_map.name for recorded_map in maps]
    for recorded_map in maps:
        is_unique = names.count(recorded_map.name) == 1
        yield (
            recorded_map
            if is_unique
            else replace(recorded_map, name=f"{recorded_map.name}:{recorded_map.context_hash}")
        )
