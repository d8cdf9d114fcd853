"""A Gaussian process with fixed hyperparameters: two dozen lines of NumPy, for agents that ask one many times a choice.

Notation: ``t`` points known, ``k`` points asked, ``F`` coordinates.
"""

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


class GaussianProcess:
    """Regression with a linear kernel plus a Matern-3/2 one, of mean 0.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithm 2.1 and equation 4.17.

    Args:
        points: known ones, (t, F).
        values: their values, (t,).
        length: over which the Matern part forgets.
        noise: variance of the values.
        slope: variance of the linear part's slopes.
        height: variance of the Matern part.
    """

    def __init__(
        self, points: Floats, values: Floats, *, length: float, noise: float, slope: float = 1.0, height: float = 1.0
    ) -> None:
        self._points = points
        self._length, self._slope, self._height = length, slope, height
        covariance = self._covariance(points, points)
        covariance[np.diag_indices_from(covariance)] += noise
        self._inverse_root = np.linalg.inv(np.linalg.cholesky(covariance))
        self._weighted = self._inverse_root @ values

    def at(self, asked: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation, without the noise, at points (k, F); (k,) each."""
        projected = self._inverse_root @ self._covariance(self._points, asked)
        variance = self._height + self._slope * (asked**2).sum(axis=1) - (projected**2).sum(axis=0)
        return self._weighted @ projected, np.sqrt(np.maximum(variance, 1e-6))

    def _covariance(self, one: Floats, other: Floats) -> Floats:
        products = one @ other.T
        squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * products
        scaled = np.sqrt(3 * np.maximum(squared, 0)) / self._length
        covariance: Floats = self._height * (1 + scaled) * np.exp(-scaled) + self._slope * products
        return covariance
