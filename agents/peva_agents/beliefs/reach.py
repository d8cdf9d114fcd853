"""How many candidates a verdict would tell of, for each candidate.

Notation: ``k`` candidates, ``F`` functions. An OK verdict tells of the candidates *at or below*, an overloaded one of
those *at or above*, the candidate itself included in both.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.inference import Blocks, Lattice, RateGrid, is_dense, lattice_size
from peva_env.planning import Candidates
from peva_env.space import ConfigSpace

type CountArray = NDArray[np.int64]

_CELLS_PER_CONFIG = 32
"""A lattice with more cells than so many times the configurations costs more than looking at a sample of them."""

_N_COUNTED = 256
_N_WITNESSES = 2048
"""Where counting all is too much: so many candidates are counted for, among so many others."""


class Reach:
    """CountArray for the candidates of a space, under a kind of dominance (see ``peva_env.inference.grid``).

    Exact by sums along the axes of the grid of rates. Among a sample of the candidates for many functions of which few
    load a node at once, and for spaces too large for arrays.
    """

    def __init__(self, space: ConfigSpace, dominance: str, rng: np.random.Generator) -> None:
        self._space = space
        self._rng = rng
        self._grid = RateGrid(space) if is_dense(space) else None
        self._lattice: Lattice | Blocks | None = None
        if self._grid and dominance != "two_sided":
            self._lattice = Blocks(space)
        elif self._grid and lattice_size(space) <= _CELLS_PER_CONFIG * space.n_configs:
            self._lattice = Lattice(space, self._grid.rates_rps)

    def rates_rps(self, candidates: Candidates) -> NDArray[np.int32]:
        """Return the rates of the candidates' functions, (k, F); 0 for a function that is absent."""
        if self._grid:
            return self._grid.rates_rps[:, candidates.indices].T
        each = (dict(config) for config in candidates)
        rates = [[rates_rps.get(name, 0) for name in self._space.functions] for rates_rps in each]
        return np.array(rates, np.int32).reshape(len(candidates), len(self._space.functions))

    def counted(self, candidates: Candidates) -> Candidates:
        """Return those of the candidates for which ``counts`` can count: all, or a sample."""
        if self._lattice or len(candidates) <= _N_COUNTED:
            return candidates
        return candidates.take(_sample(len(candidates), _N_COUNTED, self._rng))

    def counts(self, counted: Candidates, candidates: Candidates) -> tuple[CountArray, CountArray]:
        """Return how many of the candidates are at or below, and at or above, each of those that are counted for."""
        if self._lattice:
            chosen = np.zeros(self._space.n_configs, np.bool_)
            chosen[candidates.indices] = True
            below, above = self._lattice.at_or_below(chosen), self._lattice.at_or_above(chosen)
            return below[counted.indices], above[counted.indices]
        # Not from the generator of choices: to look must not change what is chosen.
        witnesses = candidates.take(_sample(len(candidates), _N_WITNESSES, np.random.default_rng(len(candidates))))
        theirs, own = self.rates_rps(witnesses)[None], self.rates_rps(counted)[:, None]
        return 1 + (theirs <= own).all(axis=2).sum(axis=1), 1 + (theirs >= own).all(axis=2).sum(axis=1)


def _sample(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(n) if n <= most else rng.permutation(n)[:most]
