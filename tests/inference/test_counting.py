"""Counts in many campaigns side by side are those of each alone."""

import numpy as np
import pytest

from peva_env.inference import Blocks, Lattice, RateGrid
from peva_env.space import ConfigSpace

SPACES = {
    "one set": ConfigSpace({"a": range(0, 50, 10), "b": range(0, 40, 10)}, min_functions=2, max_functions=3),
    "all sets": ConfigSpace({"a": [5, 10], "b": [0, 10, 20], "c": [10]}, max_functions=4),
}


@pytest.mark.parametrize("name", SPACES)
def test_many_rows_at_once(name: str) -> None:
    space = SPACES[name]
    chosen = np.random.default_rng(0).random((5, space.n_configs)) < 0.6
    for counter in (Blocks(space), Lattice(space, RateGrid(space).rates_rps)):
        for count in (counter.at_or_below, counter.at_or_above):
            together = count(chosen)
            assert together.tolist() == [count(row).tolist() for row in chosen]
            assert count(chosen[None]).tolist() == [together.tolist()]
