"""Laws that hold for any events: of Parquet folders, of merges, and of the tensor cache."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peva_env.contracts import EndStatus, ExecutionEvent
from peva_env.memory.event_writer import PolicyUpdate
from peva_env.memory.parquet.checkpoint import ParquetCheckpoint
from peva_env.memory.schema import TABLES
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.memory.tensors.cache import TensorCache
from tests.support.builders import event, session
from tests.support.strategies import events

OWN = ("memory_schema_meta",)
"""What a database says of itself, and does not take from another."""

some_events = st.lists(events(), max_size=6, unique_by=lambda one: one.event_key)


@contextmanager
def memory() -> Iterator[DuckDBMemoryStore]:
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        yield store


@contextmanager
def folder_of(store: DuckDBMemoryStore) -> Iterator[ParquetCheckpoint]:
    """Export a memory, and give the folders for the block."""
    with TemporaryDirectory() as folder:
        checkpoint = ParquetCheckpoint(store, core_dir=f"{folder}/core", debug_dir=f"{folder}/debug")
        checkpoint.export_all()
        yield checkpoint


def preload(store: DuckDBMemoryStore, exported: ParquetCheckpoint) -> None:
    checkpoint = ParquetCheckpoint(store, core_dir=exported.core_dir, debug_dir=exported.debug_dir)
    checkpoint.preload_core()
    checkpoint.preload_debug()


def fill(store: DuckDBMemoryStore, given_events: list[ExecutionEvent], run_id: str = "run") -> None:
    """Put something in every table."""
    store.open_session(session(run_id, seed=len(given_events)))
    store.insert_events(given_events, [PolicyUpdate(run_id, 0, 1000.0, "Greedy", "online", len(given_events), 0.5)])
    store.close_session(run_id, EndStatus.COMPLETE)


def content(store: DuckDBMemoryStore) -> dict[str, list[Any]]:
    rows = store.database.connection.execute
    return {table: rows(f"FROM {table} ORDER BY ALL").fetchall() for table in TABLES if table not in OWN}


def added(given_events: list[ExecutionEvent]) -> TensorCache:
    cache = TensorCache()
    for one in given_events:
        cache.add(one)
    return cache


def rebuilt(store: DuckDBMemoryStore) -> TensorCache:
    cache = TensorCache()
    cache.rebuild(store.database.connection)
    return cache


def shown(cache: TensorCache) -> dict[str, Any]:
    """Return all that a cache shows, in its order, as plain values."""
    names = [name for name, member in vars(TensorCache).items() if isinstance(member, property)]
    values = {name: getattr(cache, name) for name in names}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


@settings(max_examples=10, deadline=None)
@given(given_events=some_events)
def test_events_that_are_stored_together_are_as_if_stored_one_after_the_other(
    given_events: list[ExecutionEvent],
) -> None:
    with memory() as together, memory() as apart:
        together.insert_events(given_events)
        for one in given_events:
            apart.insert_events([one])
        assert content(together) == content(apart)


# Parquet and merges


@settings(max_examples=5, deadline=None)
@given(given_events=some_events)
def test_from_store_to_parquet_to_store_is_the_identity_and_twice_is_once(given_events: list[ExecutionEvent]) -> None:
    with memory() as first, memory() as second:
        fill(first, given_events)
        with folder_of(first) as exported:
            preload(second, exported)
            assert content(second) == content(first)
            assert sorted(second.events("ctx"), key=key) == sorted(given_events, key=key)
            preload(second, exported)
            preload(first, exported)
        assert content(second) == content(first)


def key(one: ExecutionEvent) -> tuple[str, int, int, str]:
    return one.event_key


@settings(max_examples=5, deadline=None)
@given(data=st.data(), theirs=some_events, ours=some_events)
def test_merging_commutes(data: st.DataObject, theirs: list[ExecutionEvent], ours: list[ExecutionEvent]) -> None:
    known = {one.event_key for one in theirs}
    shared = [one for one in theirs if data.draw(st.booleans())]
    ours = [one for one in ours if one.event_key not in known] + shared
    with ExitStack() as stack:
        a, b = (stack.enter_context(memory()) for _ in range(2))
        fill(a, theirs, "theirs")
        fill(b, ours, "ours")
        exported_a, exported_b = (stack.enter_context(folder_of(store)) for store in (a, b))
        preload(a, exported_b)
        preload(b, exported_a)
        assert content(a) == content(b)


# The tensor cache


@settings(max_examples=25, deadline=None)
@given(given_events=some_events, split=st.integers(0, 6))
def test_a_rebuilt_cache_is_one_that_grew_and_may_go_on_growing(given_events: list[ExecutionEvent], split: int) -> None:
    with memory() as store:
        store.insert_events(given_events[:split])
        cache = rebuilt(store)
        for one in given_events[split:]:
            cache.add(one)
        store.insert_events(given_events[split:])
        assert shown(cache) == shown(rebuilt(store)) == shown(added(given_events))
        assert np.isfinite(cache.features).all()
        assert not cache.features[~cache.mask].any()


MANY = """
    INSERT INTO execution_events (config_id, iteration, repetition, run_id, kind, verdict, function_names, rates_rps,
        success_rate, p95_ms, cost_s, context_hash)
    SELECT lpad(to_hex(i % 1000), 12, '0'), i, 1, 'run' || (i // 70000), 'measured', if(i % 3 = 0, 'OVERLOADED', 'OK'),
        ['f' || (i // 90000)], [i % 500], [1.0], [i / 2.0], i, 'ctx'
    FROM range(200000) t(i)
"""


def test_events_of_several_batches_keep_their_order() -> None:
    i = np.arange(200_000)
    with memory() as store:
        store.database.connection.execute(MANY)
        cache = rebuilt(store)
    assert (cache.functions, cache.run_ids) == (("f0", "f1", "f2"), ("run0", "run1", "run2"))
    assert (cache.iterations == i).all()
    assert (cache.run_codes == i // 70_000).all()
    assert (cache.labels == np.where(i % 3 == 0, 1, -1)).all()
    assert (cache.features[:, :3].sum(axis=1) == i % 500).all()
    assert (cache.mask[:, :3].argmax(axis=1) == i // 90_000).all()


def test_a_memory_that_cannot_be_read_leaves_the_cache_as_it_was() -> None:
    with memory() as store:
        store.insert_events([event()])
        cache = rebuilt(store)
        store.database.connection.execute("UPDATE execution_events SET config_id = 'zz'")
        with pytest.raises(duckdb.Error):
            cache.rebuild(store.database.connection)
    assert shown(cache) == shown(added([event()]))


@pytest.mark.parametrize("margin", [float("inf"), -1e300, float("nan")])
def test_no_feature_is_ever_infinite_or_nan(margin: float) -> None:
    cache = added([event(margin=margin)])
    assert np.isfinite(cache.features).all()


def test_a_rate_of_0_differs_from_an_absent_function() -> None:
    cache = added([event([("a", 0)]), event([("b", 1)])])
    assert cache.features[:, 0].tolist() == [0, 0]
    assert cache.mask[:, 0].tolist() == [True, False]


def test_growing_copies_seldom() -> None:
    cache, buffers = TensorCache(), set()
    for iteration in range(5000):
        cache.add(event(iteration=iteration))
        buffers.add(cache.features.ctypes.data)
    assert len(buffers) <= 8


def test_rows_are_found_while_the_cache_grows() -> None:
    cache = TensorCache()
    for number in range(3000):
        cache.add(event([("a", number % 7)], number))
        if number % 500 == 0:
            assert cache.rows_of([("a", 3)]).tolist() == list(range(3, number + 1, 7))
