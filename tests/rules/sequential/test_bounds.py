"""The bounds hold as often as they say, at every look."""

import numpy as np
import pytest
from numpy.typing import NDArray

from peva_env.rules.sequential.bounds import LEAST_DESIGN_EFFECT, design_effect, growth_bounds, share_bounds

type Floats = NDArray[np.float64]

ALPHA = 0.05
N_RUNS, N_REQUESTS = 400, 400


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.5])
def test_a_share_is_within_its_bounds_at_all_looks_at_once(share: float) -> None:
    rng = np.random.default_rng(1)
    outside = 0
    for failed in rng.random((N_RUNS, N_REQUESTS)) < share:
        counts = np.cumsum(failed)
        bounds = [share_bounds(int(counts[n - 1]), n, ALPHA) for n in range(10, N_REQUESTS + 1, 10)]
        outside += any(not low <= share <= high for low, high in bounds)
    assert outside <= ALPHA * N_RUNS


def test_bounds_close_in_on_the_share_and_nothing_is_known_before_the_first_request() -> None:
    assert share_bounds(0, 0, ALPHA) == (0.0, 1.0)
    few, many = share_bounds(3, 30, ALPHA), share_bounds(300, 3000, ALPHA)
    assert few.low < many.low < 0.1 < many.high < few.high
    assert share_bounds(0, 166, 0.005).high == pytest.approx(0.0495, abs=1e-4), "a success of 0.95 after 166 requests"
    assert share_bounds(50, 50, ALPHA).low == pytest.approx(0.89, abs=0.02)


def test_failures_in_clusters_are_worth_fewer_requests() -> None:
    offered = [50] * 20
    assert design_effect([5] * 20, offered) == LEAST_DESIGN_EFFECT
    assert design_effect([0] * 20, offered) == LEAST_DESIGN_EFFECT
    assert design_effect([50, 50] + [0] * 18, offered) == pytest.approx(50 * 20 / 19)


def latencies(rng: np.random.Generator, growth: float, m: int = 24) -> tuple[Floats, Floats]:
    """Return moments and latencies with noise that is correlated from one to the next."""
    noise = rng.normal(0, 0.005, m)
    for i in range(1, m):
        noise[i] += 0.5 * noise[i - 1]
    x: Floats = 1 + 0.5 * np.arange(m, dtype=np.float64)
    return x, 0.05 + growth * x + noise


@pytest.mark.parametrize("growth", [0.0, 0.05])
def test_the_growth_is_within_its_bounds(growth: float) -> None:
    rng = np.random.default_rng(2)
    found = [growth_bounds(*latencies(rng, growth), 0.01) for _ in range(N_RUNS)]
    assert sum(bounds.high < growth for bounds in found) <= 0.02 * N_RUNS
    assert sum(bounds.low > growth for bounds in found) <= 0.01 * N_RUNS


def test_a_queue_that_wanders_does_not_grow() -> None:
    rng = np.random.default_rng(3)
    x: Floats = 1 + 0.5 * np.arange(20, dtype=np.float64)
    found = [growth_bounds(x, np.cumsum(rng.normal(0, 0.05, 20)), 0.01) for _ in range(N_RUNS)]
    assert sum(bounds.low > 0 for bounds in found) <= 0.02 * N_RUNS


def test_a_steady_growth_is_seen_and_few_points_say_nothing() -> None:
    x: Floats = 1 + 0.5 * np.arange(12, dtype=np.float64)
    low, high = growth_bounds(x, 0.05 + 0.1 * x + 0.001 * np.cos(9 * x), 0.001)
    assert 0.08 < low < 0.1 < high < 0.12
    assert growth_bounds(x[:7], x[:7], 0.001) == (-np.inf, np.inf)
