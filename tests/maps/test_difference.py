"""The difference of two maps with luck taken out: what is sure, what is undecided, and which runs would decide it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from peva_env.contracts import EndStatus, ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.maps import MapDifference, compare, deciding_runs, read_map
from tests.support.maps import OK, OVERLOADED, RATES, clear_run, pair, remember, square

NEAR = 0.02
"""A margin so small that one run proves nothing."""


def compared(tmp_path: Path, before: Iterable[ExecutionEvent], after: Iterable[ExecutionEvent]) -> MapDifference:
    paths = (remember(tmp_path / f"{i}.duckdb", events) for i, events in enumerate((before, after)))
    return compare(*(read_map(path, dominance="within_sets") for path in paths))


def with_margin(events: Iterable[ExecutionEvent], near: list[tuple[int, int]], margin: float) -> list[ExecutionEvent]:
    """Return runs, those of some configurations with a margin of another size."""
    chosen = [pair(*rates) for rates in near]
    return [
        clear_run(one.config_pairs, one.verdict, margin=margin) if one.config_pairs in chosen else one for one in events
    ]


def test_a_verdict_that_turned_by_a_little_is_undecided(tmp_path: Path) -> None:
    near = [(20, 30), (30, 20)]
    difference = compared(tmp_path, with_margin(square(50), near, NEAR), with_margin(square(40), near, NEAR))
    assert (len(difference.lost), len(difference.gained)) == (0, 0)
    assert [*difference.undecided] == [pair(20, 30), pair(30, 20)]
    assert (difference.n_ok, difference.n_overloaded, difference.n_known) == (6, 1, 9)
    assert (difference.lost_share, difference.coverage) == (0.0, 6 / 8)


@pytest.mark.parametrize("unsure", ["before", "after"])
def test_both_sides_must_be_sure(tmp_path: Path, unsure: str) -> None:
    near = [(20, 30), (30, 20)]
    sides = {"before": square(50), "after": square(40)}
    sides[unsure] = with_margin(sides[unsure], near, NEAR)
    difference = compared(tmp_path, sides["before"], sides["after"])
    assert len(difference.lost) == 0
    assert len(difference.undecided) == 2
    deciding = deciding_runs(difference)
    assert len(deciding.configs) == (2 if unsure == "after" else 0)
    assert deciding.n_only_before == (2 if unsure == "before" else 0)


def test_a_sure_measurement_proves_what_is_inferred_from_it(tmp_path: Path) -> None:
    before = [clear_run(pair(30, 30), OK)]
    after = [clear_run(pair(10, 10), OVERLOADED), clear_run(pair(20, 20), OVERLOADED, margin=NEAR)]
    difference = compared(tmp_path, before, after)
    assert len(difference.lost) == 9
    change = next(change for change in difference.proofs(difference.lost) if change.config == pair(20, 20))
    assert change.before is not None
    assert change.after is not None
    assert (change.before.config, change.before.verdict) == (pair(30, 30), OK)
    assert (change.after.config, change.after.margin, change.after.n_runs) == (pair(10, 10), -0.2, 1)
    assert min(change.before.confidence, change.after.confidence) > 0.95


def test_an_unfinished_map_covers_little_and_the_rest_is_what_would_decide(tmp_path: Path) -> None:
    difference = compared(tmp_path, square(60), [clear_run(pair(20, 10), OK)])
    assert (len(difference.lost), difference.n_ok, difference.n_safe, difference.n_safe_unknown) == (0, 2, 9, 7)
    assert difference.coverage == pytest.approx(2 / 9)
    deciding = deciding_runs(difference)
    assert (len(deciding.configs), deciding.iterations, deciding.n_new_runs) == (7, 1, 7)


def test_the_runs_that_would_decide_decide_if_they_go_on_as_before(tmp_path: Path) -> None:
    near = [(30, 30)]
    before, after = square(60), with_margin(square(50), near, NEAR)
    deciding = deciding_runs(compared(tmp_path, before, after))
    assert deciding.configs == (pair(30, 30),)
    more = [clear_run(pair(30, 30), OVERLOADED, i, margin=NEAR) for i in range(1, deciding.iterations)]
    assert deciding.n_new_runs == len(more)
    (tmp_path / "more").mkdir()
    decided = compared(tmp_path / "more", before, [*after, *more])
    assert [*decided.lost] == [pair(30, 30)]


def test_a_memory_without_margins_excludes_no_chance(tmp_path: Path) -> None:
    before, after = ([replace(one, margin=None) for one in square(limit)] for limit in (60, 50))
    difference = compared(tmp_path, before, after)
    assert [*difference.undecided] == [pair(30, 30)]
    (change,) = difference.proofs(difference.undecided)
    assert change.after is not None
    assert (change.after.margin, change.after.confidence) == (None, 0.5)


def test_a_level_decides_how_sure_is_sure(tmp_path: Path) -> None:
    paths = [remember(tmp_path / f"{limit}.duckdb", square(limit)) for limit in (60, 50)]
    maps = [read_map(path) for path in paths]
    assert len(compare(*maps, level=0.99).lost) == 1
    assert len(compare(*maps, level=1 - 1e-15).lost) == 0
    with pytest.raises(ConfigError, match=r"level 1: must be above 0.5 and below 1"):
        compare(*maps, level=1.0)


def test_maps_that_were_interrupted_compare_by_what_they_hold(tmp_path: Path) -> None:
    before = read_map(remember(tmp_path / "a.duckdb", square(60)[:1], status=EndStatus.BUDGET))
    after = read_map(remember(tmp_path / "b.duckdb", square(60)))
    assert (compare(before, after).coverage, RATES[0]) == (1.0, 10)
