"""Gaussian processes on the measurements of many campaigns, to which single points are added.

Notation: ``n`` campaigns, ``m`` of them; ``G`` processes a campaign; ``T`` points, ``F`` coordinates, ``k`` points to
predict. The formulas are those of ``peva_env.features.gaussian``; ``inverse`` is the inverse of the Cholesky factor of
the covariances, (n, G, T, T). A new point adds a row to it. A process without a value at a point has a row of zeros
there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.features.side_by_side.parts import parts_of

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]

_MOST_POINTS = 128
"""Points of a process beyond which it starts again from its latest half: a prediction has quadratic cost in them."""

_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel as in ``GaussianProcess``, and the processes that use it, one after the other."""

    length: float
    slope: float
    height: float
    processes: slice

    def of(self, distances: Floats, products: Floats) -> Floats:
        """Return covariances from distances and inner products, of any shape."""
        scaled = distances * (3**0.5 / self.length)
        covariance = np.exp(-scaled)
        scaled += 1
        covariance *= scaled
        covariance *= self.height
        np.multiply(products, self.slope, out=scaled)
        covariance += scaled
        return covariance


class Processes:
    """``G`` processes of each of ``n`` campaigns; the points of a campaign's processes are the same.

    Args:
        n: number of campaigns.
        n_coordinates: ``F``.
        kernels: the kernels; together they have all processes.
        noise: variance of the noise of each process, (G,).
    """

    def __init__(self, n: int, n_coordinates: int, kernels: tuple[Kernel, ...], noise: Floats) -> None:
        self._kernels, self._noise = kernels, noise
        slopes = [np.full(of.processes.stop - of.processes.start, of.slope) for of in kernels]
        heights = [np.full(of.processes.stop - of.processes.start, of.height) for of in kernels]
        self._slope, self._height = np.concatenate(slopes), np.concatenate(heights)
        n_processes, room = len(noise), 16
        self.n_points = np.zeros(n, np.int64)
        self._points = np.zeros((n, room, n_coordinates))
        self._values = np.zeros((n, n_processes, room))
        self._has_value = np.zeros((n, n_processes, room), np.bool_)
        self._inverse = np.zeros((n, n_processes, room, room))
        self._weighted = np.zeros((n, n_processes, room))  # inverse times the values
        self._ones = np.zeros((n, n_processes, room))  # inverse times 1 where there is a value

    def begin(self, where: Numbers) -> None:
        """Forget all points of campaigns ``where``."""
        self.n_points[where] = 0
        for blank in (self._inverse, self._weighted, self._ones, self._has_value):
            blank[where] = 0

    def add(self, where: Numbers, points: Floats, values: Floats) -> None:
        """Add a point (m, F) to each campaign of ``where`` (m,), with its values (m, G); NaN for no value."""
        full = where[self.n_points[where] >= _MOST_POINTS]
        if full.size:
            self._forget_the_earlier_half(full)
        self._make_room(int(self.n_points[where].max(initial=0)) + 1)
        order = np.argsort(self.n_points[where], kind="stable")
        for which in parts_of(self.n_points[where[order]]):
            part = order[which]
            self._add(where[part], points[part], values[part])

    def _add(self, where: Numbers, points: Floats, values: Floats) -> None:
        slots = self.n_points[where]
        n_before = int(slots.max(initial=0))
        has_value = ~np.isnan(values)
        values = np.where(has_value, values, 0.0)
        covariance = self._covariances(self._points[where, :n_before], points[:, None, :])[..., 0]  # (m, G, T)
        inverse = self._inverse[where, :, :n_before, :n_before]
        projected = (inverse @ covariance[..., None])[..., 0]
        own = self._height + self._slope * (points**2).sum(axis=1)[:, None] + self._noise
        pivot = np.sqrt(np.maximum(own - (projected**2).sum(axis=2), self._noise * 1e-3))
        scale = np.where(has_value, 1 / pivot, 0.0)  # (m, G)
        row = (projected[:, :, None, :] @ inverse)[:, :, 0, :] * -scale[..., None]
        self._inverse[where, :, slots, :n_before] = row
        self._inverse[where, :, slots, slots] = scale
        for sums, new in ((self._weighted, values), (self._ones, has_value)):
            sums[where, :, slots] = (new - (projected * sums[where, :, :n_before]).sum(axis=2)) * scale
        self._points[where, slots] = points
        self._values[where, :, slots] = values
        self._has_value[where, :, slots] = has_value
        self.n_points[where] += 1

    def at(self, campaigns: Numbers, points: Floats, means: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation at points (m, k, F) of ``campaigns`` (m,), (m, G, k) each.

        ``means`` (m, G) is subtracted from all values first.
        """
        n_points = int(self.n_points[campaigns].max(initial=0))
        weights = self._weighted[campaigns, :, :n_points] - means[..., None] * self._ones[campaigns, :, :n_points]
        distances, products = _distances_and_products(self._points[campaigns, :n_points], points)
        n_processes, k = len(self._noise), points.shape[1]
        mean, explained = np.empty((len(campaigns), n_processes, k)), np.empty((len(campaigns), n_processes, k))
        for kernel in self._kernels:
            own = kernel.processes
            has_value = self._has_value[campaigns, own, :n_points]
            # Processes with values at the same points have the same inverse, such as those on CPU and RAM.
            different = slice(own.start, own.start + 1) if (has_value == has_value[:, :1]).all() else own
            inverse = self._inverse[campaigns, different, :n_points, :n_points]
            projected = inverse @ kernel.of(distances, products)[:, None]  # (m, different processes, T, k)
            mean[:, own] = (weights[:, own, None] @ projected)[:, :, 0]
            explained[:, own] = np.einsum("mgtk,mgtk->mgk", projected, projected)
        own_variance = (points**2).sum(axis=2)[:, None] * self._slope[:, None] + self._height[:, None]
        return mean, np.sqrt(np.maximum(own_variance - explained, _LEAST_VARIANCE))

    def _covariances(self, points: Floats, others: Floats) -> Floats:
        """Return the covariances of points (m, T, F) and others (m, k, F), (m, G, T, k)."""
        distances, products = _distances_and_products(points, others)
        parts = [
            np.repeat(kernel.of(distances, products)[:, None], kernel.processes.stop - kernel.processes.start, axis=1)
            for kernel in self._kernels
        ]
        return np.concatenate(parts, axis=1)

    def _forget_the_earlier_half(self, full: Numbers) -> None:
        kept = slice(_MOST_POINTS // 2, _MOST_POINTS)
        points, values = self._points[full, kept], self._values[full, :, kept]
        values = np.where(self._has_value[full, :, kept], values, np.nan)
        self.begin(full)
        for i in range(points.shape[1]):
            self.add(full, points[:, i], values[:, :, i])

    def _make_room(self, n_points: int) -> None:
        room = self._points.shape[1]
        if n_points <= room:
            return
        more = max(n_points, min(2 * room, _MOST_POINTS)) - room
        self._points = np.pad(self._points, [(0, 0), (0, more), (0, 0)])
        self._inverse = np.pad(self._inverse, [(0, 0), (0, 0), (0, more), (0, more)])
        in_last = [(0, 0), (0, 0), (0, more)]
        self._values, self._has_value = np.pad(self._values, in_last), np.pad(self._has_value, in_last)
        self._weighted, self._ones = np.pad(self._weighted, in_last), np.pad(self._ones, in_last)


def _distances_and_products(points: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Return distances and inner products of points (m, T, F) and others (m, k, F), (m, T, k) each."""
    shape = len(points), points.shape[1], others.shape[1]
    squared, products = np.zeros(shape), np.zeros(shape)
    for f in range(points.shape[2]):
        one, other = points[:, :, None, f], others[:, None, :, f]
        apart = one - other
        apart *= apart
        squared += apart
        products += one * other
    return np.sqrt(squared, out=squared), products
