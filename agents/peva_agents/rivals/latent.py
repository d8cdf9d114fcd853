"""Gaussian-process classification: a latent load above zero is overload.

Notation: ``t`` measured configurations, ``k`` configurations to predict, ``F`` functions. Rates are shares of each
function's highest rate.
"""

import numpy as np
from numpy.typing import NDArray

from peva_agents.rivals.normal import below, density
from peva_env.features import covariance

type Floats = NDArray[np.float64]

_LENGTH, _SLOPE, _HEIGHT = 0.5, 4.0, 4.0
"""Length scale of the Matern kernel, variance of the linear kernel's slopes, variance of the Matern kernel."""

_RISE = 4.0
"""How much the prior mean rises from no load, where it is minus half of this, to the highest rate of each function."""

_N_ITERATIONS = 25
_TOLERANCE = 1e-6
_LEAST = 1e-12


class LatentLoad:
    """The posterior of a latent Gaussian process under a probit likelihood, by Laplace's approximation.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithms 3.1 and 3.2. The process is
    monotone on average only: its prior mean rises with each rate. That a higher load is never easier to bear comes in
    by the inference of the campaign, which leaves no candidate that a measured verdict decides.

    Args:
        points: measured rates, (t, F).
        labels: their verdicts, (t,): -1 OK, 1 overloaded.
    """

    def __init__(self, points: Floats, labels: Floats) -> None:
        self._points = points
        prior = _covariance(points, points)
        mean, load = _mean(points), np.zeros(len(points))
        for _ in range(_N_ITERATIONS):
            self._slope, self._root_weight, weighted = _likelihood(mean + load, labels)
            scaled = np.eye(len(points)) + self._root_weight[:, None] * prior * self._root_weight
            self._cholesky = np.linalg.cholesky(scaled)
            target = weighted * load + self._slope
            inner = np.linalg.solve(self._cholesky, self._root_weight * (prior @ target))
            step = target - self._root_weight * np.linalg.solve(self._cholesky.T, inner)
            new_load = prior @ step
            moved = np.abs(new_load - load).max(initial=0.0)
            load = new_load
            if moved < _TOLERANCE:
                break
        self._slope, self._root_weight, _ = _likelihood(mean + load, labels)
        scaled = np.eye(len(points)) + self._root_weight[:, None] * prior * self._root_weight
        self._cholesky = np.linalg.cholesky(scaled)

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        """Return the mean (k,) and the covariance (k, k) of the latent load at rates (k, F)."""
        shared = _covariance(self._points, points)
        explained = np.linalg.solve(self._cholesky, self._root_weight[:, None] * shared)
        mean: Floats = _mean(points) + self._slope @ shared
        posterior: Floats = _covariance(points, points) - explained.T @ explained
        return mean, posterior


def _covariance(points: Floats, others: Floats) -> Floats:
    return covariance(points, others, length=_LENGTH, slope=_SLOPE, height=_HEIGHT)


def _mean(points: Floats) -> Floats:
    mean: Floats = _RISE * (points.mean(axis=1) - 0.5)
    return mean


def _likelihood(load: Floats, labels: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the slope of the log likelihood, the root of minus its curvature, and minus its curvature, (t,) each."""
    ratio = density(load) / np.maximum(below(labels * load), _LEAST)
    slope = labels * ratio
    curvature = np.maximum(ratio**2 + labels * load * ratio, _LEAST)
    return slope, np.sqrt(curvature), curvature
