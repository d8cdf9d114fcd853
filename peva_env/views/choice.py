"""Which candidates a view shows: a third by the rule of bisection, the others by chance.

Notation: ``m`` campaigns, ``N`` configurations, ``K`` candidates, ``F`` functions. The rule of bisection prefers what
resolves most in the worse case. Chance is a hash of the episode's seed, the number of steps and the configuration.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from peva_env.features import highest_rps
from peva_env.inference import UNKNOWN_LABEL, Blocks, Lattice, MonotoneMap, RateGrid, lattice_size, no_lower_pairs
from peva_env.sources import Seeds, hashed
from peva_env.space import ConfigSpace, Dominance

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Numbers = NDArray[np.int64]

NO_CANDIDATE = -1
"""The index of a row without a candidate."""

_DRAW = 3
"""The hash counter of the draws of candidates; scenarios, runs and nodes have 0, 1 and 2."""

_BY_BISECTION = 3
"""One candidate in this many is chosen by the rule of bisection."""

_CELLS_PER_CONFIG = 32
"""Lattice cells per configuration above which verdicts are counted within each set of functions only."""

_N_DRAWN, _N_COUNTED = 512, 256
"""In a space without arrays: configurations drawn, and how many unknown ones of these can become candidates."""

_DRAWS = 10
"""Draws without an unknown configuration after which there is no candidate."""

_DRAWN_BITS = 62
_32, _ONE = np.uint64(32), np.uint64(1)


@dataclass(frozen=True, slots=True)
class Shown:
    """The candidates of ``m`` campaigns, those with a candidate first."""

    indices: NDArray[Any]  # (m, K) int64: in plan order, NO_CANDIDATE without one; Python's int beyond int64
    rates: Floats  # (m, K, F): shares of each function's highest rate
    below: Numbers  # (m, K): unknown configurations that an OK verdict resolves, at least 1
    above: Numbers  # (m, K): the same for an overloaded verdict
    n: Numbers  # (m,): configurations among which these are counted


class Choice(Protocol):
    """Chooses the candidates of one campaign."""

    def of_one(self, known: MonotoneMap, seed: int, n_steps: int) -> Shown:
        """Choose among what ``known`` does not know, with the seed of the episode and after ``n_steps`` steps."""
        ...


class DenseChoice:
    """Chooses among the unknown configurations of spaces with arrays."""

    def __init__(self, space: ConfigSpace, dominance: Dominance, k: int) -> None:
        grid = RateGrid(space)
        self._k = k
        self._shares = grid.rates_rps.T / highest_rps(space)  # (N, F)
        has_lattice = dominance == "two_sided" and lattice_size(space) <= _CELLS_PER_CONFIG * space.n_configs
        self._counter = Lattice(space, grid.rates_rps) if has_lattice else Blocks(space)
        self._numbers = np.arange(space.n_configs)

    def shares(self, indices: Numbers) -> Floats:
        """Return the rates of configurations of any shape, (..., F), as shares of the highest ones."""
        shares: Floats = self._shares.take(indices, axis=0)
        return shares

    def choose(self, unknown: Flags, seeds: Seeds, steps: Numbers) -> Shown:
        """Choose among the configurations that are ``unknown`` (m, N)."""
        below, above = self._counter.at_or_below(unknown), self._counter.at_or_above(unknown)
        chance = hashed(hashed(seeds, _DRAW, steps)[:, None], self._numbers)
        positions = _chosen(np.minimum(below, above), unknown, chance, self._k)
        none = positions == NO_CANDIDATE
        below, above = (np.take_along_axis(counts, positions, axis=1) for counts in (below, above))
        rates = self._shares.take(positions, axis=0)
        rates[none] = 0
        below[none] = above[none] = 1
        return Shown(positions, rates, below, above, np.maximum(unknown.sum(axis=1), 1))

    def of_one(self, known: MonotoneMap, seed: int, n_steps: int) -> Shown:
        """Choose among the configurations that ``known`` does not know, and that can be measured."""
        assert known.labels is not None  # noqa: S101 - the space has arrays
        unknown = known.labels == UNKNOWN_LABEL
        if known.recorded is not None:
            unknown &= known.recorded
        return self.choose(unknown[None], np.array([seed], np.uint64), np.array([n_steps]))


class DrawnChoice:
    """Chooses among configurations drawn at random from a space that is too large for arrays; for one campaign.

    Verdicts are counted among the unknown ones of those that were drawn.
    """

    def __init__(self, space: ConfigSpace, k: int) -> None:
        self._space, self._k = space, k
        self._highest_rps = highest_rps(space)

    def of_one(self, known: MonotoneMap, seed: int, n_steps: int) -> Shown:
        """Choose among configurations that ``known`` does not know."""
        state = hashed(np.array([seed], np.uint64), _DRAW, n_steps)
        drawn = self._drawn(known, state)
        rates = self._space.rates_of(map(self._space.config, drawn)) / self._highest_rps
        counted = min(len(drawn), _N_COUNTED)
        below = no_lower_pairs(rates[:counted], rates).sum(axis=1)
        above = no_lower_pairs(rates, rates[:counted]).sum(axis=0)
        chance = hashed(state, _DRAWS, np.arange(counted))
        all_unknown = np.ones((1, counted), np.bool_)
        positions = _chosen(np.minimum(below, above)[None], all_unknown, chance[None], self._k)
        some = positions[0, positions[0] != NO_CANDIDATE]
        indices = np.full((1, self._k), NO_CANDIDATE, np.object_)
        indices[0, : len(some)] = [drawn[position] for position in some.tolist()]
        shown_rates = np.zeros((1, self._k, rates.shape[1]))
        shown_rates[0, : len(some)] = rates[some]
        counts = np.ones((2, 1, self._k), np.int64)
        counts[:, 0, : len(some)] = below[some], above[some]
        return Shown(indices, shown_rates, counts[0], counts[1], np.array([max(len(drawn), 1)]))

    def _drawn(self, known: MonotoneMap, state: Seeds) -> list[int]:
        for draw in range(_DRAWS):
            bits = (hashed(state, draw, np.arange(_N_DRAWN)) >> np.uint64(64 - _DRAWN_BITS)).tolist()
            numbers = dict.fromkeys(number * self._space.n_configs >> _DRAWN_BITS for number in bits)
            unknown = [number for number in numbers if known.verdict(self._space.config(number)) is None]
            if unknown:
                return unknown
        return []


def choice_of(space: ConfigSpace, dominance: Dominance, k: int) -> Choice:
    """Return what chooses candidates in a space."""
    return DenseChoice(space, dominance, k) if space.is_dense else DrawnChoice(space, k)


def _chosen(worst: Numbers, unknown: Flags, chance: Seeds, k: int) -> Numbers:
    """Return the positions of candidates, (m, K): the best by ``worst`` (m, N) first, then others by ``chance``."""
    by_rule = np.where(unknown, (worst.astype(np.uint64) << _32) | (chance >> _32), np.uint64(0))
    best = _highest(by_rule, k // _BY_BISECTION)
    by_chance = np.where(unknown, chance | _ONE, np.uint64(0))
    if best.size:
        rows = np.arange(len(best))[:, None]
        by_chance[rows, np.maximum(best, 0)] = 0
    return np.concatenate([best, _highest(by_chance, k - best.shape[1])], axis=1)


def _highest(keys: Seeds, k: int) -> Numbers:
    """Return the positions of the ``k`` highest keys (m, N), highest first, (m, k); NO_CANDIDATE where a key is 0."""
    m, kept = len(keys), min(k, keys.shape[1])
    found = np.full((m, k), NO_CANDIDATE, np.int64)
    if not kept:
        return found
    # Partitioning keys alone and looking for the highest ones takes a fifth of the time of partitioning positions.
    least = np.maximum(np.partition(keys, -kept, axis=1)[:, -kept], _ONE)
    rows, positions = (keys >= least[:, None]).nonzero()
    places = np.arange(len(rows)) - np.searchsorted(rows, np.arange(m))[rows]
    fits = places < kept  # equal keys could be too many
    rows, positions, places = rows[fits], positions[fits], places[fits]
    own = np.zeros((m, kept), np.uint64)
    own[rows, places] = keys[rows, positions]
    found[rows, places] = positions
    order = np.argsort(own, axis=1, kind="stable")[:, ::-1]
    found[:, :kept] = found[np.arange(m)[:, None], order]
    return found
