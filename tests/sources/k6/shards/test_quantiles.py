"""The pooled sample of several k6, restored from the percentiles that each of them tells."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from peva_env.sources.k6.shards.quantiles import PERCENTILES, pooled, restored

RULES = (50, 90, 95, 99)
LATENCIES_MS = st.floats(0.1, 5000, allow_nan=False)

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
KNOWN: dict[str, Draw] = {
    "uniform": lambda rng, n: rng.uniform(10, 50, n),
    "exponential": lambda rng, n: 5 + rng.exponential(20, n),
    "lognormal": lambda rng, n: rng.lognormal(3, 0.7, n),
    "growing queue": lambda rng, n: np.linspace(10, 2000, n) * rng.uniform(0.95, 1.05, n),
    "two modes": lambda rng, n: np.where(rng.random(n) < 0.7, rng.normal(10, 1, n), rng.normal(200, 10, n)),
}


def told(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """What k6 tells of a part: it interpolates between samples as NumPy does."""
    return np.percentile(samples, PERCENTILES), len(samples)


@given(st.lists(LATENCIES_MS, min_size=1, max_size=101))
def test_a_small_part_is_restored_sample_by_sample(values: list[float]) -> None:
    samples = np.sort(values)
    assert restored(*told(samples)) == pytest.approx(samples, rel=1e-6, abs=1e-6)


@given(st.lists(st.lists(LATENCIES_MS, min_size=1, max_size=101), min_size=1, max_size=5))
def test_small_parts_have_the_percentiles_of_their_pool(parts: list[list[float]]) -> None:
    whole = np.concatenate([np.array(part) for part in parts])
    found = np.percentile(pooled([told(np.array(part)) for part in parts]), RULES)
    assert found == pytest.approx(np.percentile(whole, RULES), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", KNOWN)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 3000), min_size=2, max_size=6),
    slower=st.floats(1, 10),
)
def test_a_rank_in_the_pool_is_off_by_less_than_the_samples_between_two_percentiles(
    name: str, seed: int, sizes: list[int], slower: float
) -> None:
    rng = np.random.default_rng(seed)
    parts = [KNOWN[name](rng, n) * (slower if i else 1) for i, n in enumerate(sizes)]
    found = np.percentile(pooled([told(part) for part in parts]), RULES)
    # In each part a restored sample lies between the two percentiles around it, and so does the true one.
    off = np.diff(PERCENTILES).max() + 100 * len(parts) / sum(sizes)
    least, most = np.percentile(np.concatenate(parts), np.clip([np.array(RULES) - off, np.array(RULES) + off], 0, 100))
    assert np.all(found >= least - 1e-6)
    assert np.all(found <= most + 1e-6)


@pytest.mark.parametrize("n_parts", [2, 4])
@pytest.mark.parametrize("n", [200, 700, 3000])
@pytest.mark.parametrize("name", KNOWN)
def test_parts_of_a_known_distribution_are_within_2_percent(name: str, n: int, n_parts: int) -> None:
    for seed, slower in product(range(20), (1, 1.2)):
        rng = np.random.default_rng(seed)
        parts = [KNOWN[name](rng, n) * (slower if i else 1) for i in range(n_parts)]
        found = np.percentile(pooled([told(part) for part in parts]), RULES)
        assert found == pytest.approx(np.percentile(np.concatenate(parts), RULES), rel=0.02)


def test_of_very_many_samples_some_are_left_out() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.lognormal(3, 0.7, 400_000), rng.lognormal(4, 0.7, 100)]
    samples = pooled([told(part) for part in parts])
    assert len(samples) == pytest.approx(200_000, abs=2)
    assert np.percentile(samples, RULES) == pytest.approx(np.percentile(np.concatenate(parts), RULES), rel=0.02)
