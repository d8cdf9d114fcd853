"""Actions: the integers by which an agent names a configuration, and the masks of the legal ones."""

from dataclasses import dataclass
from operator import index as as_index
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import UNKNOWN_LABEL, MonotoneMap
from peva_env.space import Config, ConfigSpace


@dataclass(frozen=True, slots=True)
class ExtraActions:
    """Optional actions. ``stop`` ends the episode; ``measure_again`` makes known configurations legal."""

    stop: bool = False
    measure_again: bool = False

    def require(self, space: ConfigSpace) -> None:
        """Check that a space can have these actions.

        Raises:
            ConfigError: it has more than ``DENSE_LIMIT`` configurations.
        """
        for name, is_on in (("stop", self.stop), ("measure_again", self.measure_again)):
            if is_on and not space.is_dense:
                raise ConfigError(
                    f"{name} = True: {space.n_configs:,} configurations are too many for it; give fewer rates"
                )


class ActionCodec:
    """Translates between actions and configurations, for all spaces of one shape.

    In a *dense* space an action is the index of a configuration in plan order (``Discrete``). In a space of more than
    ``DENSE_LIMIT`` configurations, an action is one rate level per function, 0 = absent (``MultiDiscrete``). *stop*, if
    it is among the extra actions, has the index after that of the last configuration.

    Raises:
        ConfigError: the space is too large for the extra actions.
    """

    def __init__(self, space: ConfigSpace, extra: ExtraActions) -> None:
        extra.require(space)
        self.is_dense = space.is_dense
        self._extra = extra
        self._n_levels = [len(rates) + 1 for rates in space.rates_rps]
        self.action_space: gymnasium.Space[Any] = (
            gymnasium.spaces.Discrete(space.n_configs + extra.stop)
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

    def is_stop(self, space: ConfigSpace, action: Any) -> bool:
        """Tell whether an action is *stop*."""
        return self._extra.stop and self.index(space, action) == space.n_configs

    def index(self, space: ConfigSpace, action: Any) -> int | None:
        """Return the index in plan order of an action's configuration, or None if the plan does not include it.

        The index of *stop* is the number of configurations.

        Raises:
            IndexError: the action is not in the action space.
        """
        if self.is_dense:
            try:
                index = as_index(action)
            except TypeError:
                raise IndexError(f"action {action!r} is not a whole number") from None
            last = space.n_configs - 1 + self._extra.stop
            if not 0 <= index <= last:
                raise IndexError(f"action {index} is outside 0..{last}")
            return index
        levels = np.asarray(action)
        if not np.issubdtype(levels.dtype, np.integer) or not self.action_space.contains(levels):
            raise IndexError(f"action {action!r} is not one of {self._n_levels} levels for each function")
        config = space.from_levels(levels.tolist())
        return space.index(config) if config in space else None

    def masks(self, known: MonotoneMap) -> NDArray[np.bool_]:
        """Return the legal actions in sb3-contrib's form: (N,), or the levels of all functions in a row.

        With *stop* there is one entry more, which is always true.
        In a space that is not dense, the mask has one entry per rate level of each function. It excludes only level 0,
        absence, and only if each configuration must have all functions.
        """
        if known.labels is not None:
            legal = np.ones(len(known.labels), np.bool_) if self._extra.measure_again else known.labels == UNKNOWN_LABEL
            if known.recorded is not None:
                legal &= known.recorded
            return np.append(legal, True) if self._extra.stop else legal
        absent_is_possible = known.space.min_functions < len(known.space.functions)
        return np.concatenate([[absent_is_possible, *([True] * (n - 1))] for n in self._n_levels])

    def sampling_mask(self, masks: NDArray[np.bool_]) -> Any:
        """Return ``masks`` in the form that ``sample`` of the action space takes, int8."""
        mask = masks.astype(np.int8)
        return mask if self.is_dense else tuple(np.split(mask, np.cumsum(self._n_levels)[:-1]))
