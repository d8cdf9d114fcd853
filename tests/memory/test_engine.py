"""The engine: what is complete, what a policy is taught and when, and that storing comes first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from peva_env.contracts import (
    ConfigScheduler,
    EndStatus,
    EventKind,
    ExecutionEvent,
    MeasurementSource,
    MemoryEngine,
    PolicyAlgorithm,
    Verdict,
)
from peva_env.errors import MemoryStoreError, PolicyError
from peva_env.memory.engine import InProcessMemoryEngine
from peva_env.memory.parquet.checkpoint import ParquetCheckpoint
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.planning import CartesianScheduler, NoOpPolicy
from peva_env.space import config_key
from tests.support.builders import RecordingPolicy, ScriptedSource, event, session
from tests.support.engines import make_engine

A10 = config_key([("a", 10)])


@dataclass
class Clock:
    """A clock that goes on when it is told to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Bench:
    """An engine on a real file, in a session, with a policy that keeps what it is taught."""

    path: Path
    policy: RecordingPolicy = field(default_factory=RecordingPolicy)
    clock: Clock = field(default_factory=Clock)

    def start(self, *, checkpoint_dir: Path | None = None, **settings: Any) -> InProcessMemoryEngine:
        store = DuckDBMemoryStore(self.path)
        checkpoint = ParquetCheckpoint(store, core_dir=checkpoint_dir) if checkpoint_dir else None
        engine = make_engine(store, checkpoint=checkpoint, clock=self.clock, **settings)
        engine.startup()
        engine.open_session(session())
        engine.attach_policy(self.policy, agent="recorder")
        return engine


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "memory.duckdb")


@pytest.fixture
def online(bench: Bench) -> Iterator[InProcessMemoryEngine]:
    with closing(bench.start(iterations=2)) as engine:
        yield engine


@pytest.fixture
def pairs(bench: Bench) -> Iterator[InProcessMemoryEngine]:
    """An engine that teaches two events at once, or what there is after 30 s."""
    with closing(bench.start(selection_mode="micro_batch", micro_batch_size=2, micro_batch_window_s=30)) as engine:
        yield engine


def updates(engine: InProcessMemoryEngine) -> list[tuple[object, ...]]:
    query = "SELECT run_id, update_index, policy, mode, n_events, score FROM policy_updates ORDER BY update_index"
    return engine.store.database.connection.execute(query).fetchall()


def sessions(engine: InProcessMemoryEngine) -> list[tuple[object, ...]]:
    return engine.store.database.connection.execute("SELECT agent, status, detail FROM run_sessions").fetchall()


def test_the_default_components_meet_their_contracts(online: InProcessMemoryEngine) -> None:
    assert isinstance(online, MemoryEngine)
    assert isinstance(NoOpPolicy(), PolicyAlgorithm)
    assert isinstance(CartesianScheduler(), ConfigScheduler)
    assert isinstance(ScriptedSource(), MeasurementSource)


# Complete


def test_a_configuration_is_seen_when_all_its_iterations_are_there(online: InProcessMemoryEngine) -> None:
    assert not online.is_seen(A10)
    online.ingest_event(event(iteration=0))
    assert not online.is_seen(A10)
    online.ingest_event(event(iteration=1))
    assert online.is_seen(A10)
    assert online.ledger.verdicts(A10) == [Verdict.OK, Verdict.OK]


def test_an_engine_without_a_session_counts_what_it_is_given(tmp_path: Path) -> None:
    with closing(InProcessMemoryEngine(DuckDBMemoryStore(tmp_path / "m.duckdb"))) as engine:
        engine.startup()
        engine.ingest_event(event())
        assert engine.is_seen(A10)


def test_the_same_event_twice_counts_and_teaches_once(bench: Bench, online: InProcessMemoryEngine) -> None:
    online.ingest_event(event())
    online.ingest_event(event())
    assert online.ledger.missing_runs(A10) == 1
    assert len(bench.policy.online) == 1


def test_an_invalid_run_is_stored_but_neither_counted_nor_taught(bench: Bench, online: InProcessMemoryEngine) -> None:
    invalid = event(verdict=Verdict.INVALID, functions=(), reasons=("gateway unreachable",))
    online.ingest_event(invalid)
    assert online.store.events("ctx") == [invalid]
    assert online.ledger.missing_runs(A10) == 2
    assert online.ledger.next_iteration(A10) == 1
    assert bench.policy.online == []
    assert updates(online) == []


def test_a_skip_is_stored_but_neither_counted_nor_taught(bench: Bench, online: InProcessMemoryEngine) -> None:
    online.ingest_skips([event(iteration=-1, verdict=Verdict.OVERLOADED, kind=EventKind.SKIPPED, functions=())])
    assert online.ledger.is_recorded(A10, EventKind.SKIPPED)
    assert not online.ledger.is_recorded(A10, EventKind.INFERRED)
    assert online.ledger.missing_runs(A10) == 2
    assert online.ledger.next_iteration(A10) == 0
    assert bench.policy.online == []


def test_what_was_measured_before_counts_after_a_restart(bench: Bench) -> None:
    with closing(bench.start(iterations=2)) as engine:
        engine.ingest_event(event(iteration=0))
    with closing(bench.start(iterations=2)) as engine:
        assert engine.ledger.missing_runs(A10) == 1
        assert engine.ledger.next_iteration(A10) == 1


@pytest.mark.parametrize("other", [session("new", context_hash="moved"), session("new", repetition=2)])
def test_another_context_or_repetition_has_seen_nothing(online: InProcessMemoryEngine, other: Any) -> None:
    online.ingest_event(event(iteration=0))
    online.ingest_event(event(iteration=1))
    assert online.open_session(other) == []
    assert not online.is_seen(A10)


@pytest.mark.parametrize("foreign", [{"context_hash": "moved"}, {"repetition": 2}])
def test_an_event_of_another_context_or_repetition_is_stored_only(
    bench: Bench, online: InProcessMemoryEngine, foreign: dict[str, Any]
) -> None:
    online.ingest_event(event(**foreign))
    assert online.ledger.missing_runs(A10) == 2
    assert bench.policy.online == []
    assert len(online.store.events(foreign.get("context_hash", "ctx"))) == 1


def test_an_event_that_cannot_be_stored_counts_for_nothing(bench: Bench, online: InProcessMemoryEngine) -> None:
    online.ingest_event(event())
    with pytest.raises(MemoryStoreError):
        online.ingest_event(event(verdict=Verdict.OVERLOADED))
    assert online.ledger.verdicts(A10) == [Verdict.OK]
    assert len(bench.policy.online) == 1


# Teaching


def test_online_is_one_update_an_event(bench: Bench, online: InProcessMemoryEngine) -> None:
    first, second = event(iteration=0), event(iteration=1)
    online.ingest_event(first)
    online.ingest_event(second)
    online.checkpoint()
    assert bench.policy.online == [first, second]
    assert bench.policy.batches == []


def test_a_micro_batch_of_two_waits_for_the_second(bench: Bench, pairs: InProcessMemoryEngine) -> None:
    first, second = event(iteration=0), event(iteration=1)
    pairs.ingest_event(first)
    assert bench.policy.batches == []
    pairs.ingest_event(second)
    assert bench.policy.batches == [[first, second]]
    assert bench.policy.online == []


def test_the_window_is_timed_from_the_first_pending_event(bench: Bench) -> None:
    with closing(bench.start(selection_mode="micro_batch", micro_batch_size=9, micro_batch_window_s=30)) as engine:
        for iteration, now_s in enumerate([100.0, 129.9, 130.0, 150.0, 179.9, 180.0]):
            bench.clock.now_s = now_s
            engine.ingest_event(event(iteration=iteration))
    assert [len(batch) for batch in bench.policy.batches] == [3, 3]


def test_checkpoint_and_the_end_of_a_session_teach_what_is_pending(bench: Bench, pairs: InProcessMemoryEngine) -> None:
    pairs.ingest_event(event(iteration=0))
    pairs.checkpoint()
    pairs.checkpoint()
    assert [len(batch) for batch in bench.policy.batches] == [1]
    pairs.ingest_event(event(iteration=1))
    pairs.close_session(EndStatus.COMPLETE)
    assert [len(batch) for batch in bench.policy.batches] == [1, 1]
    assert [mode for _, _, _, mode, _, _ in updates(pairs)] == ["micro_batch", "micro_batch"]


def test_what_one_session_left_pending_is_not_taught_in_the_next(bench: Bench, pairs: InProcessMemoryEngine) -> None:
    pairs.ingest_event(event(iteration=0))
    pairs.close_session(EndStatus.FAILED)
    pairs.open_session(session("next"))
    pairs.checkpoint()
    assert bench.policy.batches == []


@pytest.mark.parametrize(
    ("score", "stored"), [(None, None), (0.25, 0.25), (np.float32(0.5), 0.5), (3, 3.0), ("good", None)]
)
def test_every_update_has_its_row_with_the_score_if_it_is_a_number(
    bench: Bench, online: InProcessMemoryEngine, score: Any, stored: float | None
) -> None:
    bench.policy.score = score
    online.ingest_event(event())
    assert updates(online) == [("run", 0, "RecordingPolicy", "online", 1, stored)]


def test_a_micro_batch_is_one_row(pairs: InProcessMemoryEngine) -> None:
    pairs.ingest_event(event(iteration=0))
    pairs.ingest_event(event(iteration=1))
    assert updates(pairs) == [("run", 0, "RecordingPolicy", "micro_batch", 2, None)]


def test_the_row_of_an_update_is_stored_with_its_event_before_the_policy_is_asked(
    bench: Bench, online: InProcessMemoryEngine
) -> None:
    rows: list[object] = []
    bench.policy.update_online = lambda _: rows.extend(updates(online))  # type: ignore[assignment, method-assign]
    online.ingest_event(event())
    assert rows == [("run", 0, "RecordingPolicy", "online", 1, None)]


def test_updates_are_numbered_without_gaps_also_after_one_that_failed(
    bench: Bench, online: InProcessMemoryEngine
) -> None:
    bench.policy.failure = ValueError("no idea")
    with pytest.raises(PolicyError):
        online.ingest_event(event(iteration=0))
    bench.policy.failure = None
    for iteration in (1, 1, 2):
        online.ingest_event(event(iteration=iteration))
    assert [index for _, index, *_ in updates(online)] == [0, 1, 2]


def test_a_policy_that_raises_is_named_and_the_event_is_safe(bench: Bench, online: InProcessMemoryEngine) -> None:
    bench.policy.failure = ValueError("no idea")
    with pytest.raises(PolicyError, match=r"RecordingPolicy .*update_online.*no idea"):
        online.ingest_event(event())
    assert online.store.events("ctx") == [event()]
    assert online.ledger.missing_runs(A10) == 1
    assert updates(online) == [("run", 0, "RecordingPolicy", "online", 1, None)]


def test_a_policy_that_raises_at_the_end_makes_the_session_failed(bench: Bench, pairs: InProcessMemoryEngine) -> None:
    pairs.ingest_event(event())
    bench.policy.failure = ValueError("no idea")
    with pytest.raises(PolicyError, match="update_batch"):
        pairs.close_session(EndStatus.COMPLETE)
    ((agent, status, detail),) = sessions(pairs)
    assert (agent, status) == ("recorder", "failed")
    assert "no idea" in str(detail)


def test_a_session_ends_once(online: InProcessMemoryEngine) -> None:
    online.close_session(EndStatus.BUDGET)
    online.close_session(EndStatus.FAILED, "too late")
    assert sessions(online) == [("recorder", "budget", None)]


def test_checkpoint_exports_what_it_was_given_folders_for(bench: Bench, tmp_path: Path) -> None:
    with closing(bench.start(checkpoint_dir=tmp_path / "core")) as engine:
        engine.ingest_event(event())
        engine.checkpoint()
    file = tmp_path / "core" / "execution_events.parquet"
    assert duckdb.execute(f"SELECT count(*) FROM '{file}'").fetchall() == [(1,)]  # noqa: S608


# Preload


def export(path: Path, folder: Path, events: list[ExecutionEvent]) -> None:
    """Leave the Parquet folder of a memory that holds these events."""
    with closing(DuckDBMemoryStore(path)) as store:
        store.startup()
        store.insert_events(events)
        ParquetCheckpoint(store, core_dir=folder).export_core()


def test_preloaded_history_counts_like_ones_own(tmp_path: Path) -> None:
    export(tmp_path / "theirs.duckdb", tmp_path / "core", [event(run_id="theirs")])
    store = DuckDBMemoryStore(tmp_path / "mine.duckdb")
    preload = ParquetCheckpoint(store, core_dir=tmp_path / "core")
    with closing(InProcessMemoryEngine(store, preload=preload)) as engine:
        engine.startup()
        assert engine.open_session(session()) == [event(run_id="theirs")]
        assert engine.is_seen(A10)


def test_a_preload_that_fails_leaves_the_memory_closed_and_as_it_was(tmp_path: Path) -> None:
    store = DuckDBMemoryStore(tmp_path / "mine.duckdb")
    engine = InProcessMemoryEngine(store, preload=ParquetCheckpoint(store, core_dir=tmp_path / "nowhere"))
    with pytest.raises(MemoryStoreError, match="nowhere"):
        engine.startup()
    assert not store.database.is_open


@pytest.mark.parametrize("is_new", [True, False])
def test_a_preload_that_brings_a_namesake_of_the_campaign_changes_nothing(tmp_path: Path, is_new: bool) -> None:
    with closing(DuckDBMemoryStore(tmp_path / "theirs.duckdb")) as theirs:
        theirs.startup()
        theirs.open_session(session("camp", context_hash="theirs"))
        theirs.insert_events([event(run_id="camp", context_hash="theirs")])
        ParquetCheckpoint(theirs, core_dir=tmp_path / "core").export_core()
    mine = tmp_path / "mine.duckdb"
    if not is_new:
        export(mine, tmp_path / "mine", [event()])
    store = DuckDBMemoryStore(mine)
    engine = InProcessMemoryEngine(store, preload=ParquetCheckpoint(store, core_dir=tmp_path / "core"))
    said = (
        r"cannot preload .*core: its campaign 'camp' is another one than the campaign that begins, node unknown, "
        r"context theirs, repetition 1, begun .* instead of node unknown, context ctx, repetition 1; choose another"
    )
    with pytest.raises(MemoryStoreError, match=said):
        engine.startup(lambda: session("camp"))
    assert not store.database.is_open
    with closing(DuckDBMemoryStore(mine)) as store:
        store.startup()
        tables = ("run_sessions", "execution_events", "config_catalog")
        counts = [store.database.connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608
        assert counts == ([(0,), (0,), (0,)] if is_new else [(0,), (1,), (1,)])


def test_a_namesake_that_the_memory_has_is_not_told_to_come_from_the_preload(tmp_path: Path) -> None:
    export(tmp_path / "theirs.duckdb", tmp_path / "core", [event(run_id="theirs")])
    with closing(DuckDBMemoryStore(tmp_path / "mine.duckdb")) as mine:
        mine.startup()
        mine.open_session(session("camp", context_hash="before"))
    store = DuckDBMemoryStore(tmp_path / "mine.duckdb")
    engine = InProcessMemoryEngine(store, preload=ParquetCheckpoint(store, core_dir=tmp_path / "core"))
    with pytest.raises(MemoryStoreError, match=r"mine\.duckdb: run_id 'camp' is that of another campaign, .* before, "):
        engine.startup(lambda: session("camp"))


def test_threads_that_ingest_events_wait_for_each_other(bench: Bench) -> None:
    n_each = 20
    with closing(bench.start(iterations=n_each)) as engine:

        def ingest(rate: int) -> None:
            for iteration in range(n_each):
                engine.ingest_event(event([("a", rate)], iteration))

        with ThreadPoolExecutor() as threads:
            list(threads.map(ingest, (10, 20, 30)))
        numbers = engine.store.database.connection.execute(
            "SELECT update_index FROM policy_updates ORDER BY ALL"
        ).fetchall()
        assert numbers == [(number,) for number in range(3 * n_each)]
        assert engine.tensor_cache_size() == len(bench.policy.online) == 3 * n_each


# Tensor cache


def test_the_tensor_cache_follows_the_store_and_is_rebuilt_from_it(bench: Bench) -> None:
    with closing(bench.start(iterations=2)) as engine:
        for iteration, verdict in enumerate((Verdict.OK, Verdict.INVALID, Verdict.OVERLOADED)):
            before = engine.tensor_cache_size()
            engine.ingest_event(event(iteration=iteration, verdict=verdict))
            assert engine.tensor_cache_size() == before + (verdict is not Verdict.INVALID)
        features, labels = engine.tensors.features, engine.tensors.labels.tolist()
    with closing(bench.start(iterations=2)) as again:
        assert again.tensors.labels.tolist() == labels == [-1, 1]
        assert again.tensors.features.tolist() == features.tolist()
