"""Student's test against its tables, and what it says of few values."""

import pytest

from peva_env.inference.change import PooledVariance, chance_of_fall, upper_tail


@pytest.mark.parametrize(
    ("freedom", "t", "tail"),
    [(1, 6.3138, 0.05), (2, 2.9200, 0.05), (3, 4.5407, 0.01), (4, 4.6041, 0.005), (10, 3.1693, 0.005)],
)
def test_the_tail_is_that_of_the_tables(freedom: int, t: float, tail: float) -> None:
    assert upper_tail(t, freedom) == pytest.approx(tail, rel=1e-3)
    assert upper_tail(-t, freedom) == pytest.approx(1 - tail, rel=1e-3)


BEFORE, SMALL, LARGE = [0.05, 0.04, 0.05], [0.04, 0.03, 0.05], [-0.10, -0.12, -0.08]


def test_a_fall_is_less_likely_by_chance_the_more_it_exceeds_the_scatter() -> None:
    assert 0.05 < chance_of_fall(BEFORE, SMALL, PooledVariance.of([BEFORE, SMALL])) < 0.5
    assert chance_of_fall(BEFORE, LARGE, PooledVariance.of([BEFORE, LARGE])) < 0.001
    assert chance_of_fall(LARGE, BEFORE, PooledVariance.of([BEFORE, LARGE])) > 0.999  # a rise


def test_the_scatter_of_both_samples_alone_gives_students_test() -> None:
    """Welch and Student agree on samples of one size and scatter: t = 4.6188 with 4 degrees of freedom."""
    before, after = [0.3, 0.4, 0.5], [-0.077, 0.023, 0.123]
    assert chance_of_fall(before, after, PooledVariance.of([before, after])) == pytest.approx(0.00496, rel=1e-2)


def test_scatter_is_pooled_and_an_assumption_counts_like_values() -> None:
    assert PooledVariance.of([[1.0, 3.0], [5.0], [], [0.0, 0.0, 3.0]]) == PooledVariance(2.0 + 6.0, 1 + 2)
    assert PooledVariance.assumed(0.03, 2) + PooledVariance(0.1, 3) == PooledVariance(0.1 + 2 * 0.03**2, 5)


def test_without_scatter_or_values_nothing_is_certain_and_equal_values_leave_nothing_to_chance() -> None:
    assert chance_of_fall([0.05], [-0.5], PooledVariance()) == 1.0
    assert chance_of_fall([], [-0.5], PooledVariance(0.1, 3)) == 1.0
    assert chance_of_fall([0.05], [-0.5, -0.5], PooledVariance(0.0, 1)) == 0.0
    assert chance_of_fall([0.05], [0.05], PooledVariance(0.0, 1)) == 1.0
