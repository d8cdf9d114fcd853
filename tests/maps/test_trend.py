"""The capacity of a node over many memories, and the test behind its change points."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from peva_env.errors import ConfigError
from peva_env.maps import StoredMap, trend_of
from peva_env.maps.change_points import change_points
from peva_env.space import ConfigSpace
from tests.support.builders import event
from tests.support.maps import OK, OVERLOADED

CONTEXT: dict[str, Any] = {
    "node": {"kind": "local", "hostname": "n", "functions": {"a": {"sha256": "0"}}},
    "functions": {"a": {"method": "GET"}},
    "duration_s": 2.0,
}


def campaign(day: int, limit: int, context: Mapping[str, Any] = CONTEXT, name: str = "a") -> StoredMap:
    """Return what a memory holds of a function at six rates, OK up to a limit; each day's code is another."""
    node = {**context["node"], "functions": {"a": {"sha256": str(day)}}}
    rates = range(20, 140, 20)
    runs = [
        replace(event([(name, rate)], verdict=OK if rate <= limit else OVERLOADED), started_at=day * 86_400.0)
        for rate in rates
    ]
    return StoredMap(
        memory=f"{day}.duckdb", context_hash=f"of {day}", context={**context, "node": node}, repetition=1,
        campaigns=(), sessions={}, runs=runs, canaries=(), space=ConfigSpace({name: rates}), counted=None,
        dominance="within_sets", notes=(),
    )  # fmt: skip


def trend(limits: Sequence[int]) -> Any:
    return trend_of([campaign(day, limit) for day, limit in enumerate(limits)][::-1])


def test_a_lasting_loss_is_a_change_point() -> None:
    found = trend([100, 100, 120, 100, 60, 60, 60, 60])

    assert [point.started_at for point in found.points] == [day * 86_400.0 for day in range(8)]
    (change,) = found.changes["total"]
    assert (change.index, change.before, change.after) == (4, 105, 60)
    assert change.p_value <= 0.05
    assert found.changes["a"] == found.changes["total"]
    assert found.lost_share == pytest.approx(45 / 105)


def test_a_gain_and_a_loss_that_was_made_good_are_no_loss() -> None:
    found = trend([100, 100, 100, 100, 40, 40, 40, 40, 100, 100, 100, 100])
    assert [change.index for change in found.changes["total"]] == [4, 8]
    assert found.lost_share == 0


def test_a_single_bad_day_and_a_step_to_and_fro_are_no_change() -> None:
    assert trend([100, 100, 100, 60, 100, 100, 80, 100]).changes == {}


def test_three_memories_are_too_few_to_prove_a_small_loss() -> None:
    found = trend([100, 100, 80])
    assert (found.changes, found.lost_share) == ({}, 0)


@pytest.mark.parametrize(
    ("changed", "name", "problem"),
    [
        ({"duration_s": 5.0}, "a", "duration_s 5.0 instead of 2.0"),
        ({"node": {"kind": "local", "hostname": "m"}}, "a", 'node.hostname "m" instead of "n"'),
        ({"functions": {"a": {"method": "POST"}}}, "a", "requests"),
        ({}, "b", r'functions \["b"\] instead of \["a"\]'),
    ],
)
def test_unlike_contexts_are_refused(changed: Mapping[str, Any], name: str, problem: str) -> None:
    stored = [
        campaign(0, 100),
        campaign(1, 100),
        campaign(2, 100, {**CONTEXT, **changed}, name),
    ]
    with pytest.raises(ConfigError, match=f"2.duckdb is not like .*0.duckdb: {problem}"):
        trend_of(stored)


def test_too_few_memories_and_one_given_twice_are_refused() -> None:
    one, other = campaign(0, 100), campaign(1, 100)
    with pytest.raises(ConfigError, match="a trend needs at least 3 memories"):
        trend_of([one, other])
    with pytest.raises(ConfigError, match="give each memory once"):
        trend_of([one, other, replace(one)])


def test_false_alarms_are_as_rare_as_the_level_says() -> None:
    series = np.random.default_rng(1).normal(100, 5, (400, 12))
    alarms = [bool(change_points(one, step=1.0, level=0.05)) for one in series.tolist()]
    assert 0.01 < np.mean(alarms) < 0.09


def test_rounding_to_the_grid_is_no_certainty() -> None:
    """Equal values are of one step of the grid, not without noise."""
    assert change_points([100, 100, 80, 80], step=20) == []
    assert [one.index for one in change_points([100] * 6 + [80] * 6, step=20)] == [6]


def test_change_points_are_plain_data() -> None:
    (found,) = change_points([100.0] * 6 + [20.0] * 6, step=1)
    assert json.dumps([found.index, found.before, found.after, found.p_value])
    assert found.share == -0.8
