"""What the arena computes: scores of a map, certificates, interquartile means and their intervals."""

import numpy as np
import pytest

from peva_agents.arena.intervals import bootstrap, iqm, mean, resamples
from peva_agents.arena.scores import Scores, certificate_size, score
from peva_env.inference import RateGrid, filled_in
from peva_env.space import ConfigSpace

TRUTH = np.array([-1, -1, 1, 1, 0], np.int8)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([-1, -1, 1, 1, 0], Scores(1.0, 1.0, 1.0, 1.0)),
        ([-1, 0, 1, 0, 0], Scores(0.5, 1.0, 0.5, 2 / 3)),
        ([-1, 1, 1, 0, 0], Scores(0.5, 0.5, 0.5, 0.5)),
        ([0, 0, 0, 0, 0], Scores(0.0, 1.0, 0.0, 0.0)),
        ([-1, -1, 1, 1, 1], Scores(1.0, 1.0, 1.0, 1.0)),
    ],
    ids=["all right", "half known", "one false alarm", "nothing known", "not recorded does not count"],
)
def test_unknown_counts_as_wrong_and_overloaded_is_what_is_looked_for(labels: list[int], scores: Scores) -> None:
    assert score(np.array(labels, np.int8), TRUTH) == scores


def test_where_nothing_is_overloaded_every_alarm_is_false() -> None:
    ok = np.array([-1, -1], np.int8)
    assert score(ok, ok) == Scores(1.0, 1.0, 1.0, 1.0)
    assert score(np.array([-1, 1], np.int8), ok) == Scores(0.5, 0.0, 1.0, 0.0)


def test_what_is_predicted_fills_in_what_is_not_proved() -> None:
    proved = np.array([-1, 0, 1, 0, 0], np.int8)
    unknown = np.array([1, 3])
    assert filled_in(proved, unknown, np.array([0.5, 0.6])).tolist() == [-1, -1, 1, 1, 0]
    assert filled_in(proved, unknown, None).tolist() == [-1, -1, 1, -1, 0]
    assert proved.tolist() == [-1, 0, 1, 0, 0]


def test_a_certificate_is_the_lowest_overloaded_and_the_highest_ok_of_what_is_recorded() -> None:
    space = ConfigSpace({"a": [0, 10, 20], "b": [0, 10, 20]}, min_functions=2, max_functions=3)
    overloaded = [dict(config)["a"] + dict(config)["b"] > 20 for config in space]
    truth = np.where(overloaded, 1, -1).astype(np.int8)
    assert certificate_size(RateGrid(space), truth) == 2 + 3
    truth[space.index([("a", 10), ("b", 10)])] = 0
    assert certificate_size(RateGrid(space), truth) == 2 + 2


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    assert iqm(np.array([100.0, 1.0, 2.0, -50.0])) == 1.5
    assert iqm(np.array([3.0])) == 3.0
    assert iqm(np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 8.0, 9.0]])).tolist() == [2.5, 4.0]


def test_intervals_are_of_resamples_within_each_stratum() -> None:
    values = np.array([0.0] * 10 + [1.0] * 10)
    maps = np.repeat([0, 1], 10)
    assert bootstrap(values, mean, resamples(20, maps)) == (0.5, 0.5)
    low, high = bootstrap(values, mean, resamples(20))
    assert 0.2 < low < 0.4 < 0.6 < high < 0.8
    assert bootstrap(values, mean, resamples(20)) == (low, high)
