"""A Gaussian process with fixed hyperparameters, in NumPy: agents predict with several of them at every choice.

Notation: ``t`` known points, ``k`` points to predict, ``F`` coordinates.
"""

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


class GaussianProcess:
    """Regression with mean 0 and the sum of a linear and a Matern-3/2 kernel.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithm 2.1 and equation 4.17.

    Args:
        points: known points, (t, F).
        values: their values, (t,).
        length: length scale of the Matern kernel.
        noise: variance of the noise in the values.
        slope: variance of the linear kernel's slopes.
        height: variance of the Matern kernel.
    """

    def __init__(
        self, points: Floats, values: Floats, *, length: float, noise: float, slope: float = 1.0, height: float = 1.0
    ) -> None:
        self._points = points
        self._length, self._noise, self._slope, self._height = length, noise, slope, height
        known = self._covariance(points, points)
        known[np.diag_indices_from(known)] += noise
        self._inverse_root = np.linalg.inv(np.linalg.cholesky(known))
        self._weighted = self._inverse_root @ values

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation, without the noise, at points (k, F); (k,) each."""
        projected = self._inverse_root @ self._covariance(self._points, points)
        variance = self._height + self._slope * (points**2).sum(axis=1) - (projected**2).sum(axis=0)
        return self._weighted @ projected, np.sqrt(np.maximum(variance, 1e-6))

    def next_value_at(self, points: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of a new value, noise included, at points (k, F); (k,) each.

        The variance is scaled by the misfit of the kernel: the mean square of the whitened known values, with two
        pseudo-observations of square 1. This is the posterior mean of a common factor of all variances.
        """
        mean, deviation = self.at(points)
        misfit = (2 + self._weighted @ self._weighted) / (2 + len(self._weighted))
        return mean, np.sqrt(misfit * (deviation**2 + self._noise))

    def _covariance(self, points: Floats, others: Floats) -> Floats:
        return covariance(points, others, length=self._length, slope=self._slope, height=self._height)


def covariance(points: Floats, others: Floats, *, length: float, slope: float, height: float) -> Floats:
    """Return the sum of a linear and a Matern-3/2 kernel between points (k, F) and others (t, F), (k, t).

    Args:
        points: points.
        others: other points.
        length: length scale of the Matern kernel.
        slope: variance of the linear kernel's slopes.
        height: variance of the Matern kernel.
    """
    products = points @ others.T
    squared = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * products
    scaled = np.sqrt(3 * np.maximum(squared, 0)) / length
    kernel: Floats = height * (1 + scaled) * np.exp(-scaled) + slope * products
    return kernel
