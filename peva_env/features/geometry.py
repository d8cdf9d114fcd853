"""Features of a candidate: its distances to the measured configurations.

Notation: ``k`` candidates, ``t`` measured configurations, ``F`` functions; rates are shares of the highest ones.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from peva_env.features.measured import Measurements

type Floats = NDArray[np.float64]

BEYOND = 1.3
"""Share of the highest rates at which every node is assumed to be overloaded."""

STEP = 0.025
"""Added to a distance before its logarithm: half a step of a grid of 21 rates."""

NEIGHBOUR_WIDTHS = (0.1, 0.25)
"""Widths of the kernels by which neighbours count."""


def geometry_features(rates: Floats, measured: Measurements) -> Iterator[Floats]:
    """Yield distances to OK and to overloaded configurations, by three norms and along each axis, (k,) each."""
    n_functions = rates.shape[1]
    ok = np.vstack([measured.rates[measured.labels < 0], np.zeros((1, n_functions))])
    overloaded = np.vstack([measured.rates[measured.labels > 0], np.full((1, n_functions), BEYOND)])
    over = np.maximum(0, rates[:, None] - ok[None])  # (k, OK, F): by how much a candidate exceeds an OK configuration
    under = np.maximum(0, overloaded[None] - rates[:, None])
    for norm in (_taxicab, _greatest, _euclidean):
        yield log_distance(norm(over)) - log_distance(norm(under))
    for norm in (_taxicab, _greatest):
        yield log_distance(norm(over))
        yield log_distance(norm(under))
    along = _along_axes(rates, over, under)
    yield from (along.mean(axis=0), along.min(axis=0), along.max(axis=0))


def _along_axes(rates: Floats, over: Floats, under: Floats) -> Floats:
    """Return where a candidate lies between OK (0) and overloaded (1) along each axis, (F, k)."""
    shares = []
    total_over, total_under = over.sum(axis=2), under.sum(axis=2)
    for f in range(rates.shape[1]):
        down = _nearest(over[:, :, f], total_over, rates[:, f] + 2 * STEP)
        up = _nearest(under[:, :, f], total_under, BEYOND - rates[:, f])
        shares.append(down / np.maximum(down + up, 1e-9))
    return np.array(shares)


def _nearest(along: Floats, total: Floats, at_most: Floats) -> Floats:
    """Return the distance to the nearest measured configuration that differs in this axis only, (k,)."""
    aligned = np.where(total - along < 1e-9, along, np.inf)
    nearest: Floats = np.minimum(aligned.min(axis=1), at_most)
    return nearest


def neighbour_features(rates: Floats, measured: Measurements) -> Iterator[Floats]:
    """Yield the mean label and the number of neighbours, weighted by each of two kernels, (k,) each."""
    squared = squared_distances(rates, measured.rates)
    for width in NEIGHBOUR_WIDTHS:
        weights = np.exp(-squared / (2 * width**2))
        total = weights.sum(axis=1)
        yield weights @ measured.labels / (total + 0.05)
        yield np.log(total + 1e-3)


def squared_distances(rates: Floats, others: Floats) -> Floats:
    squared: Floats = ((rates[:, None] - others[None]) ** 2).sum(axis=2)
    return squared


def _taxicab(distances: Floats) -> Floats:
    nearest: Floats = distances.sum(axis=2).min(axis=1)
    return nearest


def _greatest(distances: Floats) -> Floats:
    nearest: Floats = distances.max(axis=2).min(axis=1)
    return nearest


def _euclidean(distances: Floats) -> Floats:
    nearest: Floats = np.sqrt((distances**2).sum(axis=2).min(axis=1))
    return nearest


def log_distance(distances: Floats) -> Floats:
    """Return the logarithm of distances of any shape, which is finite at 0."""
    logs: Floats = np.log(distances + STEP)
    return logs
