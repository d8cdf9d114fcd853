"""Counts of the dominated configurations, for all configurations of a space at once, by cumulative sums.

Notation: ``N`` configurations, ``F`` functions. The lattice has one axis per function: its rates in ascending order,
with rate 0 for an absent function, as under two-sided dominance. ``cells`` (N,) holds the cell of each configuration. A
configuration with a function at rate 0 shares its cell with the configuration without this function. Flags and counts
(..., N) may have leading axes: campaigns side by side.
"""

import math

import numpy as np
from numpy.typing import NDArray

from peva_env.space import ConfigSpace

type Counts = NDArray[np.int64]


def lattice_axes(space: ConfigSpace) -> list[list[int]]:
    """Return the rates along each axis of the lattice."""
    absent = {0} if space.min_functions < len(space.functions) else set()
    return [sorted(absent.union(rates)) for rates in space.rates_rps]


def lattice_size(space: ConfigSpace) -> int:
    """Return the number of cells of the lattice."""
    return math.prod(len(axis) for axis in lattice_axes(space))


class Lattice:
    """The lattice of a space; ``rates_rps`` (F, N) holds its configurations' rates, 0 where a function is absent."""

    def __init__(self, space: ConfigSpace, rates_rps: NDArray[np.int32]) -> None:
        axes = lattice_axes(space)
        self._shape = tuple(len(axis) for axis in axes)
        levels = [np.searchsorted(axis, rates) for axis, rates in zip(axes, rates_rps, strict=True)]
        self._cells = np.ravel_multi_index(levels, self._shape)

    def at_or_below(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration the number of chosen ones (..., N) with no higher rate, itself included."""
        return self._summed(chosen, slice(None))

    def at_or_above(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration the number of chosen ones (..., N) with no lower rate, itself included."""
        return self._summed(chosen, slice(None, None, -1))

    def _summed(self, chosen: NDArray[np.bool_], order: slice) -> Counts:
        size, rows = math.prod(self._shape), chosen.reshape(-1, chosen.shape[-1])
        cells = (self._cells + size * np.arange(len(rows))[:, None])[rows]
        counts = np.bincount(cells, minlength=size * len(rows)).reshape(-1, *self._shape)
        _sum_up(counts, order)
        summed: Counts = counts.reshape(len(rows), size)[:, self._cells].reshape(chosen.shape)
        return summed


class Blocks:
    """The same counts as ``Lattice``, but only among configurations with the same set of functions."""

    def __init__(self, space: ConfigSpace) -> None:
        self._blocks = [space.block(names) for names in space.function_sets()]

    def at_or_below(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration the number of chosen ones (..., N) with its functions and no higher rate."""
        return self._summed(chosen, slice(None))

    def at_or_above(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration the number of chosen ones (..., N) with its functions and no lower rate."""
        return self._summed(chosen, slice(None, None, -1))

    def _summed(self, chosen: NDArray[np.bool_], order: slice) -> Counts:
        counts: Counts = chosen.reshape(-1, chosen.shape[-1]).astype(np.int64)
        for first, shape in self._blocks:
            block = counts[:, first : first + math.prod(shape)]
            _sum_up(block.reshape(len(counts), *shape, copy=False), order)
        return counts.reshape(chosen.shape)


def _sum_up(counts: Counts, order: slice) -> None:
    """Sum along all axes but the first, in place."""
    for axis in range(1, counts.ndim):
        turned = counts[(slice(None),) * axis + (order,)]
        np.cumsum(turned, axis=axis, out=turned)


def above_any(space: ConfigSpace, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which configurations (N,) lie above a marked one: same functions, no lower rate, at least one higher."""
    above: NDArray[np.bool_] = Blocks(space).at_or_below(marked) > marked
    return above


def below_any(space: ConfigSpace, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which configurations (N,) lie below a marked one: same functions, no higher rate, at least one lower."""
    below: NDArray[np.bool_] = Blocks(space).at_or_above(marked) > marked
    return below
