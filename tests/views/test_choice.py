"""Which candidates a view shows."""

import numpy as np
import pytest

from peva_env.inference import MonotoneMap
from peva_env.space import ConfigSpace
from peva_env.views.choice import NO_CANDIDATE, DenseChoice, DrawnChoice

SPACE = ConfigSpace({"a": range(0, 100, 10), "b": range(0, 70, 10)}, min_functions=2, max_functions=3)
SEEDS, STEPS = np.array([3, 4, 5, 5], np.uint64), np.array([0, 0, 1, 2])


def unknown() -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return flags of four campaigns: all unknown, some unknown, five unknown, none unknown."""
    flags = np.ones((4, SPACE.n_configs), np.bool_)
    flags[1] = np.random.default_rng(0).random(SPACE.n_configs) < 0.5
    flags[2] = np.arange(SPACE.n_configs) % 15 == 1
    flags[3] = False
    return flags


@pytest.mark.parametrize("k", [1, 2, 7, 12, 70, 100])
def test_candidates_are_different_unknown_ones_as_many_as_there_are(k: int) -> None:
    flags = unknown()
    shown = DenseChoice(SPACE, "within_sets", k).choose(flags, SEEDS, STEPS)
    for row, own in zip(shown.indices, flags, strict=True):
        n = min(k, int(own.sum()))
        assert (row[:n] != NO_CANDIDATE).all()
        assert (row[n:] == NO_CANDIDATE).all()
        assert len(set(row[:n].tolist())) == n
        assert own[row[:n]].all()
    assert (shown.below >= 1).all()
    assert (shown.above >= 1).all()
    assert shown.n.tolist() == [max(1, count) for count in flags.sum(axis=1).tolist()]


def test_the_first_third_resolve_most_in_the_worse_case() -> None:
    shown = DenseChoice(SPACE, "within_sets", 12).choose(unknown(), SEEDS, STEPS)
    whole = DenseChoice(SPACE, "within_sets", 3 * SPACE.n_configs).choose(unknown(), SEEDS, STEPS)
    worst = np.minimum(whole.below, whole.above)
    for row, best in zip(np.minimum(shown.below, shown.above), worst, strict=True):
        assert row[:4].tolist() == sorted(best[: SPACE.n_configs].tolist(), reverse=True)[:4]


def test_a_campaign_has_the_same_candidates_alone() -> None:
    choice, flags = DenseChoice(SPACE, "two_sided", 12), unknown()
    together = choice.choose(flags, SEEDS, STEPS)
    for i in range(4):
        alone = choice.choose(flags[i : i + 1], SEEDS[i : i + 1], STEPS[i : i + 1])
        assert alone.indices[0].tolist() == together.indices[i].tolist()
        assert alone.rates[0].tolist() == together.rates[i].tolist()
    assert choice.choose(flags, SEEDS, STEPS + 1).indices.tolist() != together.indices.tolist()


def test_in_a_huge_space_the_unknown_ones_of_a_draw_are_shown() -> None:
    space = ConfigSpace({name: range(10, 210, 10) for name in "abcdefghijklmnop"}, min_functions=1, max_functions=17)
    known = MonotoneMap(space, dominance="within_sets")
    shown = DrawnChoice(space, 9).of_one(known, 7, 0)
    indices = shown.indices[0].tolist()
    assert max(indices) > np.iinfo(np.int64).max
    assert len(set(indices)) == 9
    assert shown.rates[0] == pytest.approx(space.rates_of(map(space.config, indices)) / 200)
    assert DrawnChoice(space, 9).of_one(known, 7, 0).indices[0].tolist() == indices
    assert DrawnChoice(space, 9).of_one(known, 7, 1).indices[0].tolist() != indices
