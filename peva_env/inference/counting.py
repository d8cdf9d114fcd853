"""What lies above and below marked configurations, for a whole space in one sweep along each axis."""

import numpy as np
from numpy.typing import NDArray

from peva_env.space import ConfigSpace


def above_any(space: ConfigSpace, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which configurations (N,) lie above a marked one: same functions, no rate lower, one higher."""
    return _by_set(space, marked, slice(None))


def below_any(space: ConfigSpace, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which configurations (N,) lie below a marked one: same functions, no rate higher, one lower."""
    return _by_set(space, marked, slice(None, None, -1))


def _by_set(space: ConfigSpace, marked: NDArray[np.bool_], direction: slice) -> NDArray[np.bool_]:
    found = np.zeros_like(marked)
    for names in space.function_sets():
        offset, shape = space.block(names)
        block = slice(offset, offset + int(np.prod(shape)))
        towards = (direction,) * len(shape)
        found[block].reshape(shape)[towards] = _above_any(marked[block].reshape(shape)[towards])
    return found


def _above_any(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    reached = marked
    for axis in range(marked.ndim):
        reached = np.logical_or.accumulate(reached, axis=axis)
    above = np.zeros_like(marked)
    for axis in range(marked.ndim):
        upper, lower = (np.moveaxis(grid, axis, 0) for grid in (above, reached))
        upper[1:] |= lower[:-1]
    return above
