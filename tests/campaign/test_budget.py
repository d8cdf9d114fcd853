"""A budget, and that many budgets side by side are each what a single one is, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.campaign import require_positive
from peva_env.campaign.budget import Budget, Budgets
from peva_env.errors import ConfigError

LIMITS = st.builds(
    Budget,
    runs=st.none() | st.integers(1, 5),
    seconds=st.none() | st.floats(0.1, 20.0),
    steps=st.none() | st.integers(1, 6),
)
STEPS = st.lists(st.none() | st.floats(0.0, 9.0), max_size=8)


@given(limits=LIMITS, steps=st.lists(STEPS, min_size=1, max_size=4))
def test_many_budgets_are_what_single_ones_are(limits: Budget, steps: list[list[float | None]]) -> None:
    """A step costs what its run costs, or runs nothing (None)."""
    singles = [Budget(limits.runs, limits.seconds, limits.steps) for _ in steps]
    many = Budgets(len(steps), limits)
    for number in range(max(map(len, steps))):
        costs = [own[number] if number < len(own) else None for own in steps]
        for single, cost_s in zip(singles, costs, strict=True):
            if cost_s is not None:
                single.spend(cost_s)
            single.spent_steps += 1
        ran = np.array([cost_s is not None for cost_s in costs])
        many.spend(ran, np.array([cost_s or 0.0 for cost_s in costs]))
        many.spent_steps += 1
        assert many.left.T.tolist() == [list(single.left) for single in singles]
        assert many.exhausted(many.least_left()).tolist() == [single.exhausted for single in singles]


def test_a_budget_begins_anew_where_it_is_asked_to() -> None:
    many = Budgets(2, Budget(runs=1))
    many.spend(np.array([True, True]), np.array([1.0, 1.0]))
    many.begin(np.array([1]))
    assert many.exhausted(many.least_left()).tolist() == [True, False]


@pytest.mark.parametrize("value", [0, -1, True, "5", float("nan")])
def test_a_limit_is_above_0(value: object) -> None:
    with pytest.raises(ConfigError, match=r"budget_runs = .*: must be more than 0"):
        require_positive("budget_runs", value)
