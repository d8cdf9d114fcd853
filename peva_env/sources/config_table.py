"""The configurations of a space as arrays, for computations on all of them at once."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace

MAX_CONFIGS = 2_000_000


@dataclass(frozen=True, slots=True)
class ConfigTable:
    """``N`` configurations of ``F`` functions, in plan order."""

    rates_rps: NDArray[np.float64]  # (F, N): 0 where the function is absent
    present: NDArray[np.float64]  # (F, N): 1 where the function is in the configuration, even at rate 0
    n_present: NDArray[np.float64]  # (N,)

    @classmethod
    def of(cls, space: ConfigSpace) -> Self:
        """Return the table of a space.

        Raises:
            ConfigError: the space has more than ``MAX_CONFIGS`` configurations.
        """
        if space.n_configs > MAX_CONFIGS:
            raise ConfigError(
                f"offline episodes need a space of at most {MAX_CONFIGS} configurations; it has {space.n_configs}"
            )
        rates_rps = np.zeros((len(space.functions), space.n_configs))
        present = np.zeros(rates_rps.shape)
        for names in space.function_sets():
            first, shape = space.block(names)
            block = slice(first, first + int(np.prod(shape)))
            levels = np.indices(shape).reshape(len(names), -1)
            for name, level in zip(names, levels, strict=True):
                position = space.functions.index(name)
                rates_rps[position, block] = np.array(space.rates_rps[position])[level]
                present[position, block] = 1
        return cls(rates_rps, present, present.sum(axis=0))
