"""Sets as bits are what they are as flags, whatever their size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.inference.bitsets import contains, counted, packed, singletons, unpacked


@given(st.integers(1, 200), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_sets_as_bits_are_what_they_are_as_flags(n_configs: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, n, n_configs)) < rng.random()
    indices = rng.integers(0, n_configs, n)
    assert unpacked(packed(one) & packed(other), n_configs).tolist() == (one & other).astype(int).tolist()
    assert counted(packed(one)).tolist() == one.sum(axis=1).tolist()
    assert contains(packed(one), indices).tolist() == one[np.arange(n), indices].tolist()
    assert unpacked(singletons(indices, n_configs), n_configs).nonzero()[1].tolist() == indices.tolist()


@pytest.mark.parametrize("n_configs", [63, 64, 65])
def test_nothing_is_beyond_the_last_configuration(n_configs: int) -> None:
    everything = packed(np.ones((1, n_configs), np.bool_))
    assert everything.shape == (1, -(-n_configs // 64))
    assert counted(everything).tolist() == [n_configs]
