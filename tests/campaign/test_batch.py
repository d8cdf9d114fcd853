"""What a measured configuration implies, inferred for many campaigns at once."""

import numpy as np
import pytest

from peva_env.campaign.batch import Reach
from peva_env.inference import RateGrid
from peva_env.space import Dominance
from tests.support.toy_world import SPACE


@pytest.mark.parametrize("dominance", ["one_sided", "two_sided", "within_sets"])
def test_without_tables_the_same_is_inferred(dominance: Dominance) -> None:
    grid = RateGrid(SPACE)
    indices = np.tile(np.arange(len(SPACE)), 3)
    labels = np.repeat(np.array([-1, 0, 1], np.int8), len(SPACE))
    with_tables = Reach(grid, dominance).find(indices, labels)
    assert with_tables.any()
    np.testing.assert_array_equal(Reach(grid, dominance, max_table_bits=0).find(indices, labels), with_tables)
