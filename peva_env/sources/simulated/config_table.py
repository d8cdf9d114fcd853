"""The configurations of a space as the arrays that the queueing model takes."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import RateGrid
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
        grid = RateGrid(space)
        present = (grid.level_shares.T > 0).astype(np.float64)
        return cls(grid.rates_rps.astype(np.float64), present, present.sum(axis=0))
