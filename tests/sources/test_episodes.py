"""Draws of offline episodes: a function of seed and counters alone, uniform, and different for different counters."""

import numpy as np

from peva_env.sources.episodes import hashed, uniforms


def test_a_draw_depends_on_word_and_counters_alone() -> None:
    seeds = np.arange(5, dtype=np.uint64)
    indices = np.arange(7)
    table = uniforms(seeds[:, None], indices[None, :], 3)
    one = [[float(uniforms(seeds[i : i + 1], indices[j : j + 1], 3)[0]) for j in indices] for i in range(5)]
    assert table.tolist() == one


def test_draws_are_uniform_and_not_alike() -> None:
    draws = uniforms(np.arange(300, dtype=np.uint64)[:, None], np.arange(300)[None, :])
    assert 0 <= draws.min() < 1e-3 < 0.999 < draws.max() < 1
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    assert np.abs(counts / draws.size - 0.05).max() < 0.003
    assert abs(np.corrcoef(draws[:, :-1].ravel(), draws[:, 1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(draws[:-1].ravel(), draws[1:].ravel())[0, 1]) < 0.01
    assert len(np.unique(hashed(np.arange(300, dtype=np.uint64)[:, None], np.arange(300)[None, :]))) == 90_000


def test_the_order_of_counters_matters() -> None:
    seed = np.array([7], np.uint64)
    assert hashed(seed, 1, 2).tolist() != hashed(seed, 2, 1).tolist()
    assert hashed(seed, 0).tolist() != hashed(seed).tolist()
