"""What a step is charged of the budget."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.objectives.charges import Charges

ROW = np.zeros(1, np.int64)
N_CONFIGS = 8


def begun(budget_runs: int | None, budget_seconds: float | None = None, *, only_runs: bool = False) -> Charges:
    charges = Charges(1, budget_runs, budget_seconds, only_runs=only_runs)
    charges.begin(ROW, np.array([N_CONFIGS]))
    return charges


def charged(charges: Charges, spent: float | None, *, ended: bool = False) -> float:
    """Charge a step whose runs spend a share, or without a run (None)."""
    ran = spent is not None
    return float(charges.charge(np.array([spent or 0.0]), np.array([ran]), np.array([ended]), ROW)[0])


def test_a_no_op_is_charged_like_the_last_run() -> None:
    charges = begun(None, 100.0)
    assert [charged(charges, spent) for spent in (None, 0.2, None, 0.1, None)] == [1 / N_CONFIGS, 0.2, 0.2, 0.1, 0.1]
    assert charged(begun(4), None) == 0.25


def test_without_a_limit_a_run_is_charged_the_share_of_one_configuration() -> None:
    charges = begun(None)
    assert [charged(charges, spent) for spent in (0.0, None)] == [1 / N_CONFIGS] * 2


def test_the_end_with_unknown_configurations_is_charged_all_that_is_left() -> None:
    charges = begun(4)
    assert [charged(charges, 0.25), charged(charges, None, ended=True)] == [0.25, 0.75]
    charges.begin(ROW, np.array([N_CONFIGS]))
    assert charged(charges, 0.25, ended=True) == 1


def test_the_first_version_charges_runs_alone() -> None:
    charges = begun(4, only_runs=True)
    assert [charged(charges, 0.25), charged(charges, None), charged(charges, 0.25, ended=True)] == [0.25, 0.0, 0.25]


@given(
    budget=st.sampled_from([(4, None), (None, 50.0), (4, 50.0), (None, None)]),
    steps=st.lists(st.none() | st.floats(0, 0.4), max_size=12),
    is_cut_short=st.booleans(),
)
def test_no_episode_is_charged_more_than_its_budget_and_an_incomplete_one_all_of_it(
    budget: tuple[int | None, float | None], steps: list[float | None], is_cut_short: bool
) -> None:
    charges = begun(*budget)
    found = [charged(charges, spent) for spent in steps]
    found += [charged(charges, 0.1, ended=True)] * is_cut_short
    assert min(found, default=0) >= 0
    assert sum(found) <= 1 + 1e-9
    if is_cut_short:
        assert sum(found) == pytest.approx(1)
