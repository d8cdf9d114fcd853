"""What a node bears under several objectives, from one set of measurements."""

from itertools import pairwise
from pathlib import Path

import pytest

from peva_env.config import OverloadConfig
from peva_env.errors import ConfigError
from peva_env.maps import capacities, read_stored
from peva_env.space import ConfigSpace
from tests.support.builders import event
from tests.support.maps import OVERLOADED, pair, remember, remember_latencies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a memory of nine mixes whose p95 latency is twice their total rate in ms."""
    return remember_latencies(tmp_path / "m.duckdb")


def test_each_objective_has_the_highest_rates_that_are_ok_under_it(path: Path) -> None:
    strict, usual = capacities(read_stored(path), {"strict": {"p95_ms_max": 80}, "usual": None})

    assert (strict.n_ok, strict.n_overloaded, strict.n_unknown) == (6, 3, 0)
    assert strict.total_rps == strict.most_rps == 40
    assert strict.highest is not None
    assert sum(rate for _, rate in strict.highest) == 40
    assert strict.functions_rps == {"a": 30, "b": 30}
    assert (usual.n_ok, usual.total_rps, usual.highest) == (9, 60, pair(30, 30))


def test_a_function_can_have_an_objective_of_its_own(path: Path) -> None:
    (only_b,) = capacities(read_stored(path), {"b": {"functions": {"b": {"p95_ms_max": 60}}}})

    assert only_b.total_rps == 30


def test_a_looser_objective_never_has_a_lower_capacity(path: Path) -> None:
    limits = range(10, 130, 10)
    found = capacities(read_stored(path), {str(limit): {"p95_ms_max": limit} for limit in limits})

    assert all((low.total_rps or 0) <= (high.total_rps or 0) for low, high in pairwise(found))
    assert (found[0].total_rps, found[-1].total_rps) == (None, 60)


def test_what_the_rules_cannot_judge_is_unknown_and_raises_the_upper_bound_only(path: Path) -> None:
    (found,) = capacities(read_stored(path), {"p99": {"p99_ms_max": 100}})

    assert (found.n_ok, found.n_overloaded, found.n_unknown) == (0, 0, 9)
    assert (found.total_rps, found.highest, found.most_rps) == (None, None, 60)
    assert found.functions_rps == {"a": None, "b": None}


def test_where_all_is_overloaded_nothing_is_borne(tmp_path: Path) -> None:
    stored = read_stored(remember(tmp_path / "n.duckdb", [event(pair(10, 10), verdict=OVERLOADED)]))

    (found,) = capacities(stored, {"usual": None})

    assert (found.total_rps, found.most_rps, found.n_overloaded) == (None, 0, 1)


def test_a_space_too_large_to_list_has_no_upper_bound(tmp_path: Path) -> None:
    space = ConfigSpace({name: range(1, 301) for name in "abc"}, min_functions=3, max_functions=4)
    config = [("a", 10), ("b", 20), ("c", 30)]
    stored = read_stored(remember(tmp_path / "n.duckdb", [event(config)]), space=space)

    (found,) = capacities(stored, {"usual": None})

    assert not space.is_dense
    assert (found.n_ok, found.total_rps, found.most_rps) == (1, 60, None)
    assert found.n_unknown == space.n_configs - 1


def test_complete_rules_are_an_objective_and_a_wrong_rule_is_refused(path: Path) -> None:
    (found,) = capacities(read_stored(path), {"whole": OverloadConfig(p95_ms_max=40, success_rate_node_min=None)})

    assert found.total_rps == 20
    with pytest.raises(ConfigError, match="p95_ms: unknown key; did you mean 'p95_ms_max'"):
        capacities(read_stored(path), {"wrong": {"p95_ms": 40}})
