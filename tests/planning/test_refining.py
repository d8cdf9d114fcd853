"""The finer rates of a refinement, and the limits that it is about."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.contracts import Verdict
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.planning.refining import Limit, Refinement, finer_rates
from peva_env.space import Config, ConfigSpace

GRID = ConfigSpace({"a": [20, 60, 100], "b": [10, 20, 40]}, min_functions=1, max_functions=3)


def verdict(config: Config) -> Verdict:
    """Return the truth: ``a`` serves 90, ``b`` 50, and together they share the node."""
    load = sum(rate / {"a": 90, "b": 50}[name] for name, rate in config)
    return Verdict.OVERLOADED if load > 1 else Verdict.OK


def mapped(refinement: Refinement) -> MonotoneMap:
    """Return the complete map of the grid."""
    known = MonotoneMap(refinement.space, dominance="within_sets", recorded=refinement.of_grid)
    for config in GRID:
        known.update(config, verdict(config))
    assert known.n_unknown == 0
    return known


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12, unique=True), st.sampled_from([0.02, 0.05, 0.3]))
def test_each_finer_rate_is_at_most_a_share_above_the_last(levels: list[int], share: float) -> None:
    rates = finer_rates(sorted(levels), share)
    assert set(levels) <= set(rates)
    assert (rates[0], rates[-1]) == (min(levels), max(levels))
    for low, high in pairwise(rates):
        assert high - low <= max(1, share * low + 1e-6)


def test_limits_are_those_of_the_highest_ok_configurations_of_the_grid() -> None:
    refinement = Refinement(GRID, 0.05)
    limits = refinement.limits(mapped(refinement))
    assert [(limit.config, limit.function, limit.ok_rps, limit.overloaded_rps) for limit in limits] == [
        ([("a", 60)], "a", 60, 100),  # b alone is OK at its highest level: no limit to refine
        ([("a", 20), ("b", 20)], "a", 20, 60),
        ([("a", 20), ("b", 20)], "b", 20, 40),
        ([("a", 60), ("b", 10)], "a", 60, 100),
        ([("a", 60), ("b", 10)], "b", 10, 20),
    ]
    assert not any(limit.is_known for limit in limits)


def test_the_finer_rates_of_each_limit_count_and_bisecting_them_makes_it_known() -> None:
    refinement = Refinement(GRID, 0.05)
    known = mapped(refinement)
    cells = refinement.cells(known)
    assert (cells & refinement.of_grid).sum() == GRID.n_configs
    known.count_also(cells)
    n_runs = 0
    while known.n_unknown:
        assert known.labels is not None
        assert known.recorded is not None
        unknown = np.flatnonzero((known.labels == 0) & known.recorded)
        config = refinement.space.config(int(unknown[len(unknown) // 2]))
        known.update(config, verdict(config))
        n_runs += 1
    assert refinement.cells(known).sum() == cells.sum(), "what was measured changes no limit"
    for limit in refinement.limits(known):
        assert limit.is_known
        assert verdict(_at(limit, limit.ok_rps)) is Verdict.OK
        assert verdict(_at(limit, limit.overloaded_rps)) is Verdict.OVERLOADED
        assert limit.overloaded_rps - limit.ok_rps <= max(1, 0.05 * limit.ok_rps)
    assert n_runs < (cells & ~refinement.of_grid).sum() / 2


def test_a_map_that_is_not_complete_has_no_limits() -> None:
    refinement = Refinement(GRID, 0.05)
    known = MonotoneMap(refinement.space, dominance="within_sets", recorded=refinement.of_grid)
    assert refinement.limits(known) == []


def test_a_space_without_an_array_of_labels_is_refused() -> None:
    grid = ConfigSpace({name: range(10, 1000, 100) for name in "abcd"}, max_functions=5)
    with pytest.raises(ConfigError, match=r"refine = 2%: finer rates make [\d,]+ configurations"):
        Refinement(grid, 0.02)


def _at(limit: Limit, rate: int) -> Config:
    return [(name, rate if name == limit.function else own) for name, own in limit.config]
