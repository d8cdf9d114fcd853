"""Features of candidates by their distances to what was measured, in ``m`` campaigns side by side.

Notation: ``T`` measured configurations of each campaign, ``k`` candidates, ``F`` functions. The formulas are those of
``peva_env.features.geometry``.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_env.features.geometry import BEYOND, NEIGHBOUR_WIDTHS, STEP, log_distance

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

_FAR = np.float64(np.inf)


class Apart(NamedTuple):
    """Distances between candidates and what was measured.

    By an *excess* of a function, a candidate exceeds an OK configuration, or stays below an overloaded one.
    """

    excess: list[Floats]  # F times (m, T, k)
    squared: Floats  # (m, T, k): of the whole distance

    @classmethod
    def of(cls, candidates: Floats, measured: Floats, labels: Floats) -> "Apart":
        """Return the distances from candidates (m, k, F) to measured ones (m, T, F) with labels (m, T)."""
        side = -labels[:, :, None]
        excess, squared = [], np.zeros((*labels.shape, candidates.shape[1]))
        for f in range(candidates.shape[2]):
            difference = candidates[:, None, :, f] - measured[:, :, None, f]
            squared += difference * difference
            difference *= side
            excess.append(np.maximum(difference, 0, out=difference))
        return cls(excess, squared)


def distance_features(candidates: Floats, apart: Apart, labels: Floats) -> Iterator[Floats]:
    """Yield the geometry features, (m, k) each; ``labels`` (m, T) are 0 in rows without a measurement."""
    beyond = [BEYOND - candidates[:, :, f] for f in range(candidates.shape[2])]
    rates = [candidates[:, :, f] for f in range(candidates.shape[2])]
    nearest = _Nearest(labels)
    total, total_beyond = _reduced(np.add, apart.excess), _reduced(np.add, beyond)
    norms = {
        "sum": nearest.of(total, _reduced(np.add, rates), total_beyond),
        "greatest": nearest.of(_greatest(apart.excess), _greatest(rates), _greatest(beyond)),
        "root": nearest.of(_root(apart.excess), _root(rates), _root(beyond)),
    }
    logs = {name: (log_distance(ok), log_distance(overloaded)) for name, (ok, overloaded) in norms.items()}
    yield from (ok - overloaded for ok, overloaded in logs.values())
    yield from (*logs["sum"], *logs["greatest"])
    along = np.array(list(_along_axes(candidates, apart.excess, total, beyond, nearest)))
    yield from (along.mean(axis=0), along.min(axis=0), along.max(axis=0))


def neighbour_features(squared: Floats, labels: Floats) -> Iterator[Floats]:
    """Yield the kernel means of the labels and the numbers of neighbours, (m, k) each."""
    is_measured = np.abs(labels)
    for width in NEIGHBOUR_WIDTHS:
        weights = np.exp(squared * (-1 / (2 * width**2)))
        total = (is_measured[:, None] @ weights)[:, 0]
        yield (labels[:, None] @ weights)[:, 0] / (total + 0.05)
        yield np.log(total + 1e-3)


class _Nearest:
    """Takes minima over the OK and over the overloaded configurations of each campaign."""

    def __init__(self, labels: Floats) -> None:
        self._not_ok, self._not_overloaded = (np.where(labels == label, 0.0, _FAR)[:, :, None] for label in (-1, 1))

    def of(self, distances: Floats, at_most_ok: Floats, at_most_overloaded: Floats) -> tuple[Floats, Floats]:
        """Return the least distance (m, T, k) to an OK and to an overloaded one, (m, k) each, with upper bounds."""
        ok = (distances + self._not_ok).min(axis=1, initial=_FAR)
        overloaded = (distances + self._not_overloaded).min(axis=1, initial=_FAR)
        return np.minimum(ok, at_most_ok), np.minimum(overloaded, at_most_overloaded)


def _along_axes(
    candidates: Floats, excess: list[Floats], total: Floats, beyond: list[Floats], nearest: _Nearest
) -> Iterator[Floats]:
    """Yield where candidates lie between OK (0) and overloaded (1) along each axis, (m, k)."""
    for f, along in enumerate(excess):
        aligned = np.where(total - along < 1e-9, along, _FAR)
        rest = candidates.sum(axis=2) - candidates[:, :, f]
        unloaded = np.where(rest < 1e-9, candidates[:, :, f], _FAR)
        at_most = np.minimum(candidates[:, :, f] + 2 * STEP, unloaded)
        down, up = nearest.of(aligned, at_most, beyond[f])
        yield down / np.maximum(down + up, 1e-9)


def _greatest(distances: list[Floats]) -> Floats:
    return _reduced(np.maximum, distances)


def _root(distances: list[Floats]) -> Floats:
    return np.sqrt(_reduced(np.add, [distance * distance for distance in distances]))


def _reduced(combine: Callable[[Floats, Floats], Floats], parts: list[Floats]) -> Floats:
    whole = parts[0]
    for part in parts[1:]:
        whole = combine(whole, part)
    return whole
