"""Counting what dominance reaches, for all configurations of a space at once, by sums along the axes of its rates.

Notation: ``N`` configurations, ``F`` functions. The lattice has one axis a function, its rates in order, with 0 where
the function may be absent, as two-sided dominance has it; ``cells`` (N,) says where each configuration lies. Those with
the same rates, one with a function at rate 0 and one without it, share a cell.
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
    """Return how many cells the lattice has."""
    return math.prod(len(axis) for axis in lattice_axes(space))


class Lattice:
    """The lattice of a space; ``rates_rps`` (F, N) are those of its configurations, 0 where a function is absent."""

    def __init__(self, space: ConfigSpace, rates_rps: NDArray[np.int32]) -> None:
        axes = lattice_axes(space)
        self._shape = tuple(len(axis) for axis in axes)
        levels = [np.searchsorted(axis, rates) for axis, rates in zip(axes, rates_rps, strict=True)]
        self._cells = np.ravel_multi_index(levels, self._shape)

    def at_or_below(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration how many of the chosen ones (N,) have no higher rate, itself included."""
        return self._summed(chosen, slice(None))

    def at_or_above(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration how many of the chosen ones (N,) have no lower rate, itself included."""
        return self._summed(chosen, slice(None, None, -1))

    def _summed(self, chosen: NDArray[np.bool_], order: slice) -> Counts:
        counts = np.bincount(self._cells[chosen], minlength=math.prod(self._shape)).reshape(self._shape)
        _sum_up(counts, order)
        summed: Counts = counts.ravel()[self._cells]
        return summed


class Blocks:
    """The same within each set of functions, whose configurations are a grid of their own."""

    def __init__(self, space: ConfigSpace) -> None:
        self._blocks = [space.block(names) for names in space.function_sets()]

    def at_or_below(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration how many of the chosen ones (N,) of its functions have no higher rate."""
        return self._summed(chosen, slice(None))

    def at_or_above(self, chosen: NDArray[np.bool_]) -> Counts:
        """Return for each configuration how many of the chosen ones (N,) of its functions have no lower rate."""
        return self._summed(chosen, slice(None, None, -1))

    def _summed(self, chosen: NDArray[np.bool_], order: slice) -> Counts:
        counts: Counts = chosen.astype(np.int64)
        for first, shape in self._blocks:
            _sum_up(counts[first : first + math.prod(shape)].reshape(shape), order)
        return counts


def _sum_up(counts: Counts, order: slice) -> None:
    for axis in range(counts.ndim):
        turned = counts[(slice(None),) * axis + (order,)]
        np.cumsum(turned, axis=axis, out=turned)


def above_any(space: ConfigSpace, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which configurations (N,) lie above a marked one: same functions, no rate lower, one higher."""
    above: NDArray[np.bool_] = Blocks(space).at_or_below(marked) > marked
    return above


def below_any(space: ConfigSpace, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which configurations (N,) lie below a marked one: same functions, no rate higher, one lower."""
    below: NDArray[np.bool_] = Blocks(space).at_or_above(marked) > marked
    return below
