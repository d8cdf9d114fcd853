"""The rates of every configuration as arrays, and dominance over them.

Notation: ``N`` configurations in plan order, ``F`` functions. Dominance, by name:

- ``one_sided``: a configuration with the same functions as an overloaded one, and no lower rate, is overloaded. This is
  PEVA-FAAS's rule.
- ``two_sided``: in addition, a configuration with no higher rate than an OK one is OK. An absent function counts as a
  function at rate 0, so that labels also cross from one set of functions to another.
- ``within_sets``: two-sided, but within one set of functions.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.space import ConfigSpace, Dominance

OK_LABEL, UNKNOWN_LABEL, OVERLOADED_LABEL = -1, 0, 1


class RateGrid:
    """The configurations of a space as arrays.

    - ``rates_rps``: int32 (F, N), the rate of each function; 0 = absent.
    - ``level_shares``: float32 (N, F), the rate level of each function as a share of its number of rates; 0 = absent.
    - ``sets``: int32 (N,), the number of the configuration's set of functions.
    """

    def __init__(self, space: ConfigSpace) -> None:
        self.rates_rps = np.zeros((len(space.functions), space.n_configs), np.int32)
        self.level_shares = np.zeros((space.n_configs, len(space.functions)), np.float32)
        self.sets = np.zeros(space.n_configs, np.int32)
        self._bounds: list[slice] = []
        position = {name: i for i, name in enumerate(space.functions)}
        for number, names in enumerate(space.function_sets()):
            offset, shape = space.block(names)
            block = slice(offset, offset + int(np.prod(shape)))
            levels = np.unravel_index(np.arange(block.stop - block.start), shape)
            for name, level in zip(names, levels, strict=True):
                rates_rps = np.array(space.rates_rps[position[name]])
                self.rates_rps[position[name], block] = rates_rps[level]
                self.level_shares[block, position[name]] = (level + 1).astype(np.float32) / np.float32(len(rates_rps))
            self.sets[block] = number
            self._bounds.append(block)

    def scope(self, index: int, dominance: Dominance) -> slice:
        """Return the configurations that a measured label can imply: those with the same functions, or all."""
        return slice(None) if dominance == "two_sided" else self._bounds[self.sets[index]]

    def reached(self, index: int, label: int, scope: Any, dominance: Dominance) -> NDArray[np.bool_]:
        """Return which configurations of a scope get the label of ``index``.

        They have no lower rates if the label is overloaded, and no higher rates if it is OK. ``scope`` is the result of
        the method ``scope`` for this index, or an array of indices.
        """
        compare = np.greater_equal if label == OVERLOADED_LABEL else np.less_equal
        reached: NDArray[np.bool_] = compare(self.rates_rps[0, scope], self.rates_rps[0, index])
        for rates_rps in self.rates_rps[1:]:
            reached &= compare(rates_rps[scope], rates_rps[index])
        if dominance != "two_sided" and not isinstance(scope, slice):
            reached &= self.sets[scope] == self.sets[index]
        return reached

    def extremes(self, indices: NDArray[np.int64], label: int, dominance: Dominance) -> NDArray[np.int64]:
        """Return the antichain of configurations with one label, in plan order: lowest overloaded, or highest OK."""
        order = indices[np.argsort(label * self.rates_rps[:, indices].sum(axis=0), kind="stable")]
        extreme: list[int] = []
        for index in order:  # sorted, so that an index comes after all indices that imply its label
            if not self.reached(int(index), -label, np.array(extreme, np.int64), dominance).any():
                extreme.append(int(index))
        return np.array(sorted(extreme), np.int64)

    def n_groups(self, indices: NDArray[np.int64], dominance: Dominance) -> int:
        """Return the number of groups of configurations such that no two groups have comparable members."""
        n_groups = 0
        while indices.size:
            n_groups += 1
            group, indices = indices[:1], indices[1:]
            while group.size and indices.size:
                first = int(group[0])
                near = self.reached(first, OVERLOADED_LABEL, indices, dominance)
                near |= self.reached(first, OK_LABEL, indices, dominance)
                group, indices = np.concatenate([group[1:], indices[near]]), indices[~near]
        return n_groups


def no_lower_pairs(rates: NDArray[Any], bases: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (k, m): whether row ``i`` of ``rates`` (k, F) has no lower rate than row ``j`` of ``bases`` (m, F)."""
    pairs: NDArray[np.bool_] = (rates[:, None] >= bases[None]).all(axis=2)
    return pairs
