"""What the cartesian agent would have run."""

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.frontier import MonotoneMap
from peva_env.rate_grid import OVERLOADED_LABEL


def cartesian_configs(known: MonotoneMap) -> int:
    """Return how many configurations the cartesian agent measures on a map: all but those above an overloaded one.

    It goes from low rates to high ones within each set of functions, so that whatever lies above an overloaded
    configuration of the same functions is skipped. What is unknown counts as measured: it may be OK.

    Raises:
        ConfigError: the space is too large to be looked at one by one.
    """
    if known.labels is None:
        raise ConfigError(f"{known.space.n_configs:,} configurations are too many to look at one by one")
    measures = np.ones(known.space.n_configs, np.bool_)
    for names in known.space.function_sets():
        offset, shape = known.space.block(names)
        block = slice(offset, offset + int(np.prod(shape)))
        measures[block] = ~_above_any((known.labels[block] == OVERLOADED_LABEL).reshape(shape)).ravel()
    if known.recorded is not None:
        measures &= known.recorded
    return int(measures.sum())


def _above_any(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells of a grid have a marked one below them: no higher on any axis, lower on one."""
    reached = marked
    for axis in range(marked.ndim):
        reached = np.logical_or.accumulate(reached, axis=axis)
    above = np.zeros_like(marked)
    for axis in range(marked.ndim):
        upper, lower = (np.moveaxis(grid, axis, 0) for grid in (above, reached))
        upper[1:] |= lower[:-1]
    return above
