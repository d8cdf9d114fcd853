"""How many candidates each verdict on a candidate would resolve.

Notation: ``k`` candidates, ``F`` functions. An OK verdict resolves the candidates *at or below*, an overloaded verdict
those *at or above*; both resolve the candidate itself.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import Blocks, Lattice, RateGrid, lattice_size, no_lower_pairs
from peva_env.planning import Candidates
from peva_env.space import ConfigSpace

type CountArray = NDArray[np.int64]

_CELLS_PER_CONFIG = 32
"""Lattice cells per configuration above which a lattice costs more than counting in a sample."""

_N_COUNTED = 256
_N_WITNESSES = 2048
"""Sizes of the samples: the candidates that are counted for, and the candidates among which they are counted."""


class Reach:
    """Counts for the candidates of a space, under a kind of dominance (see ``peva_env.inference.grid``).

    Counts are exact cumulative sums along the axes of the grid of rates. They are estimated from a sample of candidates
    if the space is too large for arrays, or if only few of many functions load the node at once.
    """

    def __init__(self, space: ConfigSpace, dominance: str, rng: np.random.Generator) -> None:
        self._space = space
        self._rng = rng
        self._grid = RateGrid(space) if space.is_dense else None
        self._lattice: Lattice | Blocks | None = None
        if self._grid and dominance != "two_sided":
            self._lattice = Blocks(space)
        elif self._grid and lattice_size(space) <= _CELLS_PER_CONFIG * space.n_configs:
            self._lattice = Lattice(space, self._grid.rates_rps)

    def rates_rps(self, candidates: Candidates) -> NDArray[np.int32]:
        """Return the rates of the candidates' functions, (k, F); 0 for a function that is absent."""
        if self._grid:
            return self._grid.rates_rps[:, candidates.indices].T
        return self._space.rates_of(candidates)

    def counted(self, candidates: Candidates) -> Candidates:
        """Return the candidates that ``counts`` accepts: all, or a sample."""
        if self._lattice or len(candidates) <= _N_COUNTED:
            return candidates
        return candidates.take(_sample(len(candidates), _N_COUNTED, self._rng))

    def counts(self, counted: Candidates, candidates: Candidates) -> tuple[CountArray, CountArray]:
        """Return how many candidates are at or below, and at or above, each counted one, (k,) each."""
        if self._lattice:
            chosen = np.zeros(self._space.n_configs, np.bool_)
            chosen[candidates.indices] = True
            below, above = self._lattice.at_or_below(chosen), self._lattice.at_or_above(chosen)
            return below[counted.indices], above[counted.indices]
        # A separate generator: counting must not change the random draws of choices.
        witnesses = candidates.take(_sample(len(candidates), _N_WITNESSES, np.random.default_rng(len(candidates))))
        theirs, own = self.rates_rps(witnesses), self.rates_rps(counted)
        return 1 + no_lower_pairs(own, theirs).sum(axis=1), 1 + no_lower_pairs(theirs, own).sum(axis=0)


def _sample(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(n) if n <= most else rng.permutation(n)[:most]
