"""Actions: the integers by which an agent names a configuration, and the masks of the legal ones."""

from operator import index as as_index
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_env.inference import UNKNOWN_LABEL, MonotoneMap
from peva_env.space import Config, ConfigSpace


class ActionCodec:
    """Translates between actions and configurations, for all spaces of one shape.

    In a *dense* space an action is the index of a configuration in plan order (``Discrete``). In a space of more than
    ``DENSE_LIMIT`` configurations, an action is one rate level per function, 0 = absent (``MultiDiscrete``).
    """

    def __init__(self, space: ConfigSpace) -> None:
        self.is_dense = space.is_dense
        self._n_levels = [len(rates) + 1 for rates in space.rates_rps]
        self.action_space: gymnasium.Space[Any] = (
            gymnasium.spaces.Discrete(space.n_configs)
            if self.is_dense
            else gymnasium.spaces.MultiDiscrete(self._n_levels)
        )

    def encode(self, space: ConfigSpace, config: Config) -> Any:
        """Return the action for a configuration.

        Raises:
            ValueError: the configuration is not in the space.
        """
        index = space.index(config)
        return index if self.is_dense else np.array(space.levels(config), np.int64)

    def index(self, space: ConfigSpace, action: Any) -> int | None:
        """Return the index in plan order of an action's configuration, or None if the plan does not include it.

        Raises:
            IndexError: the action is not in the action space.
        """
        if self.is_dense:
            try:
                index = as_index(action)
            except TypeError:
                raise IndexError(f"action {action!r} is not a whole number") from None
            if not 0 <= index < space.n_configs:
                raise IndexError(f"action {index} is outside 0..{space.n_configs - 1}")
            return index
        levels = np.asarray(action)
        if not np.issubdtype(levels.dtype, np.integer) or not self.action_space.contains(levels):
            raise IndexError(f"action {action!r} is not one of {self._n_levels} levels for each function")
        config = space.from_levels(levels.tolist())
        return space.index(config) if config in space else None

    def masks(self, known: MonotoneMap) -> NDArray[np.bool_]:
        """Return the legal actions in sb3-contrib's form: (N,), or the levels of all functions in a row.

        In a space that is not dense, the mask has one entry per rate level of each function. It excludes only level 0,
        absence, and only if each configuration must have all functions.
        """
        if known.labels is not None:
            unknown: NDArray[np.bool_] = known.labels == UNKNOWN_LABEL
            return unknown if known.recorded is None else unknown & known.recorded
        absent_is_possible = known.space.min_functions < len(known.space.functions)
        return np.concatenate([[absent_is_possible, *([True] * (n - 1))] for n in self._n_levels])

    def sampling_mask(self, masks: NDArray[np.bool_]) -> Any:
        """Return ``masks`` in the form that ``sample`` of the action space takes, int8."""
        mask = masks.astype(np.int8)
        return mask if self.is_dense else tuple(np.split(mask, np.cumsum(self._n_levels)[:-1]))
