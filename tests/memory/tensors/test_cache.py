"""The tensor cache: what the store holds, as arrays that nobody has to copy."""

from dataclasses import replace

import numpy as np
import pytest

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.memory.tensors.cache import TensorCache
from tests.support.builders import event, function


def filled(*given_events: ExecutionEvent) -> TensorCache:
    cache = TensorCache()
    for one in given_events:
        cache.add(one)
    return cache


def content(cache: TensorCache) -> dict[tuple[str, int, int, str], tuple[list[float], list[bool], int]]:
    """Return features, mask and label by event key, whatever the order of rows."""
    keys = zip(cache.config_ids, cache.iterations, cache.repetitions, cache.run_codes, strict=True)
    return {
        (f"{config:012x}", int(iteration), int(repetition), cache.run_ids[run]): (
            cache.features[row].tolist(),
            cache.mask[row].tolist(),
            int(cache.labels[row]),
        )
        for row, (config, iteration, repetition, run) in enumerate(keys)
    }


def test_a_row_says_what_was_asked_and_what_came_of_it() -> None:
    functions = (function("a", 10, p95_ms=50.0), function("b", 20, success_rate=0.5))
    cache = filled(event([("a", 10), ("b", 20)], verdict=Verdict.OVERLOADED, functions=functions, margin=-0.25))
    row = dict(
        zip(cache.feature_names, zip(cache.features[0].tolist(), cache.mask[0].tolist(), strict=True), strict=True)
    )
    assert row == {
        "rate_rps:a": (10, True),
        "rate_rps:b": (20, True),
        "success_rate:a": (1, True),
        "success_rate:b": (0.5, True),
        "p95_ms:a": (50, True),
        "p95_ms:b": (0, False),
        "cpu_pct": (12.5, True),
        "ram_pct": (30, True),
        "margin": (-0.25, True),
        "cost_s": (2, True),
    }
    assert cache.labels.tolist() == [1]


def test_what_is_no_label_is_not_in_it() -> None:
    skipped = event(iteration=-1, kind=EventKind.SKIPPED, functions=())
    assert len(filled(event(verdict=Verdict.INVALID, functions=()), skipped)) == 0


def test_a_function_not_seen_before_gets_columns_and_the_others_keep_theirs() -> None:
    cache = filled(event([("b", 10)]))
    cache.add(event([("a", 7)]))
    assert cache.functions == ("a", "b")
    assert cache.features[:, :2].tolist() == [[0, 10], [7, 0]]
    assert cache.mask[:, :2].tolist() == [[False, True], [True, False]]


def test_arrays_are_contiguous_views_that_later_events_do_not_change() -> None:
    cache = filled(event())
    early = cache.features
    assert early.flags.c_contiguous
    assert early.flags.writeable  # torch.from_numpy asks for it
    assert early.base is not None
    before = early.copy()
    for iteration in range(1, 200):
        cache.add(event([("z", iteration)], iteration))
    assert np.array_equal(early, before)
    assert len(cache) == 200
    assert np.isfinite(cache.features).all()


def test_torch_shares_its_memory() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    cache = filled(event())
    tensor = torch.from_numpy(cache.features)
    assert tensor.data_ptr() == cache.features.ctypes.data


def test_an_event_is_found_by_its_key_and_a_configuration_by_its_rows() -> None:
    runs = [event([("a", rate)], iteration) for iteration in range(3) for rate in range(1, 2001)]
    cache = filled(*runs)
    assert cache.rows_of([("a", 7)]).tolist() == [6, 2006, 4006]
    assert cache.rows_of([("a", 5000)]).tolist() == []
    assert cache.row(runs[2006].event_key) == 2006
    with pytest.raises(KeyError):
        cache.row(replace(runs[0], run_id="other").event_key)


def test_the_same_seed_draws_the_same_minibatch() -> None:
    cache = filled(*(event([("a", rate)], verdict=Verdict.OK) for rate in range(1, 101)))
    features, labels = cache.sample(256, np.random.default_rng(3))
    again, _ = cache.sample(256, np.random.default_rng(3))
    assert features.shape == (256, len(cache.feature_names))
    assert labels.shape == (256,)
    assert np.array_equal(features, again)
    with pytest.raises(ValueError, match="nothing to sample"):
        TensorCache().sample(1, np.random.default_rng(0))
