"""Candidates are a sequence of configurations that is made only where somebody looks at it."""

import numpy as np
import pytest

from peva_env.planning.candidates import Candidates
from peva_env.space import ConfigSpace

SPACE = ConfigSpace({"a": [10, 20, 30], "b": [10, 20]}, max_functions=3)


def test_they_are_the_configurations_at_their_indices() -> None:
    candidates = Candidates(SPACE, [4, 1, 7])
    assert list(candidates) == [SPACE[4], SPACE[1], SPACE[7]] == [candidates[0], candidates[1], candidates[-1]]
    assert len(candidates) == 3
    assert SPACE[1] in candidates
    assert SPACE[2] not in candidates


def test_parts_of_them_are_candidates_in_the_order_asked_for() -> None:
    candidates = Candidates(SPACE, np.arange(len(SPACE)))
    assert candidates[2:5].indices.tolist() == [2, 3, 4]
    assert candidates.take([5, 0]).indices.tolist() == [5, 0]
    assert list(Candidates(SPACE, [])) == list(candidates.take([])) == []


def test_configurations_become_candidates_and_candidates_stay_what_they_are() -> None:
    assert Candidates.of(SPACE, [SPACE[3], SPACE[0]]).indices.tolist() == [3, 0]
    candidates = Candidates(SPACE, [1])
    assert Candidates.of(SPACE, candidates) is candidates
    with pytest.raises(ValueError, match="'z' is not a function of this space"):
        Candidates.of(SPACE, [[("z", 1)]])


def test_places_beyond_what_an_array_can_count_are_kept_exactly() -> None:
    space = ConfigSpace({f"f{i}": range(1000) for i in range(8)}, min_functions=8, max_functions=9)
    last = space.n_configs - 1
    candidates = Candidates(space, [last, 0])
    assert candidates[0] == [(f"f{i}", 999) for i in range(8)]
    assert candidates.take([0]).indices.tolist() == [last]


def test_places_on_both_sides_of_what_an_array_can_count_stay_apart() -> None:
    space = ConfigSpace({f"f{i}": range(1000) for i in range(8)}, min_functions=8, max_functions=9)
    candidates = Candidates(space, [2**63 + 12345, 5])
    assert candidates[0] == space.config(2**63 + 12345)
    assert space.config(2**63 + 12346) not in candidates
