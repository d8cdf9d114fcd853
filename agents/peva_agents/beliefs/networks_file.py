"""The file that holds the networks of a learnt agent: arrays of NumPy, nothing pickled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs.comparison import N_INPUTS
from peva_agents.beliefs.network import Network
from peva_env.errors import PolicyLoadError
from peva_env.features import N_FEATURES
from peva_env.system import one_line

type Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Networks:
    """The networks of a learnt policy: the estimate (features to log odds) and the correction (of ``Comparison``)."""

    estimate: Network
    correction: Network | None = None

    def save(self, path: Path) -> None:
        """Write both to a file."""
        correction = self.correction.arrays("correction") if self.correction else {}
        arrays: dict[str, Any] = self.estimate.arrays("estimate") | correction
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read both from a file.

        Raises:
            PolicyLoadError: the file does not exist, or does not hold such networks.
        """
        try:
            arrays = _arrays(path)
            has_correction = any(key.startswith("correction.") for key in arrays)
            correction = Network.of(arrays, "correction", n_inputs=N_INPUTS) if has_correction else None
            return cls(Network.of(arrays, "estimate", n_inputs=N_FEATURES), correction)
        except Exception as error:  # of a damaged file zipfile, zlib and NumPy raise errors of many kinds
            raise PolicyLoadError(f"{path}: holds no networks of a learnt agent: {one_line(str(error))}") from error


def _arrays(path: Path) -> dict[str, Floats]:
    """Read a file of NumPy arrays."""
    with path.open("rb") as file:
        found = np.load(file, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array")
        return dict(found)
