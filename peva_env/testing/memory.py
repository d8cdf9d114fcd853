"""What every memory engine must do.

For a memory of your own, in a test file::

    from peva_env.testing import MemoryContract

    class TestMyMemory(MemoryContract):
        def make(self, folder, policy, **settings):
            engine = MyMemory(folder / "memory", policy, **settings)
            engine.startup()
            return engine

        def stored(self, engine):
            return engine.events("contract")

Unchecked: whether an event survives the kill of the process, access by several processes or threads, Parquet exports
and preloads, how fast the memory is, and memories with many events.
"""

# ruff: noqa: S101

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peva_env.contracts import ExecutionEvent, MemoryEngine, PolicyAlgorithm, Verdict
from peva_env.errors import PevaError, PolicyError
from peva_env.space import Config, config_key
from peva_env.testing.examples import CONTEXT_HASH, example_event, example_skip

_CONFIG: Config = [("env", 20), ("figlet", 40)]
_OTHER: Config = [("env", 20), ("figlet", 80)]
_KEY = config_key(_CONFIG)


@dataclass
class _RecordingPolicy:
    """A policy that records its updates; ``on_update`` is called first, and may raise."""

    on_update: Callable[[], None] = lambda: None
    online: list[ExecutionEvent] = field(default_factory=list)
    batches: list[list[ExecutionEvent]] = field(default_factory=list)

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        return candidates[:desired_size]

    def update_online(self, event: ExecutionEvent) -> None:
        self.on_update()
        self.online.append(event)

    def update_batch(self, events: list[ExecutionEvent]) -> None:
        self.on_update()
        self.batches.append(list(events))


class MemoryContract:
    """The behaviour of a ``MemoryEngine``: override ``make`` and ``stored``, and ``close`` if it holds something open.

    Set ``persistent = False`` for an engine that forgets everything when it is closed.
    """

    persistent = True

    def make(self, folder: Path, policy: PolicyAlgorithm, **settings: Any) -> MemoryEngine:
        """Return a started engine that keeps its data in ``folder``, if anywhere, and teaches ``policy``.

        It is in a campaign of context ``"contract"``, repetition 1, run ``"contract-run"``; a second engine on the same
        folder resumes that campaign. ``settings`` are any of ``iterations`` (1 if not given), ``selection_mode``
        (``"online"``), ``micro_batch_size``, ``micro_batch_window_s`` and ``clock``, a function that returns seconds.
        """
        raise NotImplementedError

    def stored(self, engine: MemoryEngine) -> list[ExecutionEvent]:
        """Return the events of context ``"contract"`` that an engine has stored, of whatever kind and verdict."""
        raise NotImplementedError

    def close(self, engine: MemoryEngine) -> None:
        """Release what an engine holds."""

    @contextmanager
    def _started(self, folder: Path, policy: PolicyAlgorithm | None = None, **settings: Any) -> Iterator[MemoryEngine]:
        engine = self.make(folder, policy or _RecordingPolicy(), **settings)
        try:
            yield engine
        finally:
            self.close(engine)

    # What is stored

    def test_it_is_a_memory_engine_that_knows_nothing_yet(self, tmp_path: Path) -> None:
        with self._started(tmp_path) as engine:
            assert isinstance(engine, MemoryEngine)
            assert not engine.is_seen(_KEY)
            assert self.stored(engine) == []

    def test_an_event_is_stored_as_it_was(self, tmp_path: Path) -> None:
        events = [example_event(_CONFIG), example_event(_OTHER, 0, Verdict.OVERLOADED)]
        with self._started(tmp_path) as engine:
            for event in events:
                engine.ingest_event(event)
            assert self._sorted(engine) == _in_order(events)

    def test_the_same_event_twice_is_stored_counted_and_taught_once(self, tmp_path: Path) -> None:
        policy = _RecordingPolicy()
        with self._started(tmp_path, policy, iterations=2) as engine:
            engine.ingest_event(example_event(_CONFIG))
            engine.ingest_event(example_event(_CONFIG))
            assert self.stored(engine) == [example_event(_CONFIG)]
            assert not engine.is_seen(_KEY)
            assert len(policy.online) == 1

    def test_another_event_under_the_same_key_is_refused(self, tmp_path: Path) -> None:
        policy = _RecordingPolicy()
        with self._started(tmp_path, policy, iterations=2) as engine:
            engine.ingest_event(example_event(_CONFIG))
            _refused(PevaError, engine.ingest_event, example_event(_CONFIG, 0, Verdict.OVERLOADED))
            assert self.stored(engine) == [example_event(_CONFIG)]
            assert not engine.is_seen(_KEY)
            assert len(policy.online) == 1

    def test_starting_up_again_changes_nothing(self, tmp_path: Path) -> None:
        with self._started(tmp_path) as engine:
            engine.ingest_event(example_event(_CONFIG))
            engine.startup()
            assert self.stored(engine) == [example_event(_CONFIG)]
            assert engine.is_seen(_KEY)

    # What is complete

    def test_a_configuration_is_seen_when_its_last_iteration_is_there(self, tmp_path: Path) -> None:
        with self._started(tmp_path, iterations=3) as engine:
            for iteration in range(3):
                assert not engine.is_seen(_KEY)
                engine.ingest_event(example_event(_CONFIG, iteration))
            assert engine.is_seen(_KEY)
            assert not engine.is_seen(config_key(_OTHER))

    def test_an_invalid_run_is_stored_but_neither_counted_nor_taught(self, tmp_path: Path) -> None:
        self._is_no_label(tmp_path, example_event(_CONFIG, 0, Verdict.INVALID))

    def test_a_skip_is_stored_but_neither_counted_nor_taught(self, tmp_path: Path) -> None:
        self._is_no_label(tmp_path, example_skip(_CONFIG))

    def test_a_run_of_another_repetition_is_neither_counted_nor_taught(self, tmp_path: Path) -> None:
        self._is_no_label(tmp_path, example_event(_CONFIG, repetition=2))

    def test_a_run_of_another_context_is_neither_counted_nor_taught(self, tmp_path: Path) -> None:
        policy = _RecordingPolicy()
        with self._started(tmp_path, policy) as engine:
            engine.ingest_event(example_event(_CONFIG, context_hash=f"not {CONTEXT_HASH}"))
            assert not engine.is_seen(_KEY)
            assert policy.online == []

    def test_a_restart_goes_on_where_the_last_one_ended(self, tmp_path: Path) -> None:
        self._skip_unless_persistent()
        with self._started(tmp_path, iterations=2) as engine:
            engine.ingest_event(example_event(_CONFIG, 0))
        with self._started(tmp_path, iterations=2) as engine:
            assert self.stored(engine) == [example_event(_CONFIG, 0)]
            assert not engine.is_seen(_KEY)
            engine.ingest_event(example_event(_CONFIG, 1))
            assert engine.is_seen(_KEY)
        with self._started(tmp_path, iterations=2) as engine:
            assert engine.is_seen(_KEY)

    # What is taught

    def test_online_teaches_each_event_once_it_is_stored(self, tmp_path: Path) -> None:
        policy = _RecordingPolicy()
        stored: list[int] = []
        with self._started(tmp_path, policy) as engine:
            policy.on_update = lambda: stored.append(len(self.stored(engine)))
            for iteration in range(3):
                engine.ingest_event(example_event(_CONFIG, iteration))
            engine.checkpoint()
        assert stored == [1, 2, 3]
        assert policy.online == [example_event(_CONFIG, iteration) for iteration in range(3)]
        assert policy.batches == []

    def test_a_micro_batch_is_taught_when_it_is_full(self, tmp_path: Path) -> None:
        policy = _RecordingPolicy()
        events = [example_event(_CONFIG, iteration) for iteration in range(5)]
        with self._started(tmp_path, policy, **_micro_batch(size=2)) as engine:
            for n_before, event in enumerate(events):
                assert len(policy.batches) == n_before // 2
                engine.ingest_event(event)
        assert policy.batches == [events[:2], events[2:4]]
        assert policy.online == []

    def test_a_micro_batch_is_taught_when_its_first_event_is_as_old_as_the_window(self, tmp_path: Path) -> None:
        policy, now_s = _RecordingPolicy(), [100.0]
        with self._started(tmp_path, policy, **_micro_batch(size=9), clock=lambda: now_s[0]) as engine:
            for iteration, now_s[0] in enumerate([100.0, 129.0, 130.0, 150.0, 179.0]):
                engine.ingest_event(example_event(_CONFIG, iteration))
        assert [len(batch) for batch in policy.batches] == [3]

    def test_a_checkpoint_teaches_what_is_pending_once(self, tmp_path: Path) -> None:
        policy = _RecordingPolicy()
        with self._started(tmp_path, policy, **_micro_batch(size=9)) as engine:
            engine.checkpoint()
            engine.ingest_event(example_event(_CONFIG))
            engine.checkpoint()
            engine.checkpoint()
        assert policy.batches == [[example_event(_CONFIG)]]

    def test_a_policy_that_raises_is_a_policy_error_with_the_event_stored(self, tmp_path: Path) -> None:
        for folder, settings in (("online", {}), ("micro_batch", _micro_batch(size=1))):
            with self._started(tmp_path / folder, _RecordingPolicy(_raise), **settings) as engine:
                error = _refused(PolicyError, engine.ingest_event, example_event(_CONFIG))
                assert _RecordingPolicy.__name__ in str(error)
                assert self.stored(engine) == [example_event(_CONFIG)]
                assert engine.is_seen(_KEY)

    def _is_no_label(self, folder: Path, event: ExecutionEvent) -> None:
        for name, settings in (("online", {}), ("micro_batch", _micro_batch(size=1))):
            policy = _RecordingPolicy()
            with self._started(folder / name, policy, **settings) as engine:
                engine.ingest_event(event)
                engine.checkpoint()
                assert self.stored(engine) == [event]
                assert not engine.is_seen(_KEY)
                assert (policy.online, policy.batches) == ([], [])

    def _skip_unless_persistent(self) -> None:
        import pytest

        if not self.persistent:
            pytest.skip("it forgets everything when it is closed")

    def _sorted(self, engine: MemoryEngine) -> list[ExecutionEvent]:
        return _in_order(self.stored(engine))


def _micro_batch(*, size: int) -> dict[str, Any]:
    return {"selection_mode": "micro_batch", "micro_batch_size": size, "micro_batch_window_s": 30}


def _in_order(events: list[ExecutionEvent]) -> list[ExecutionEvent]:
    return sorted(events, key=lambda event: event.event_key)


def _raise() -> None:
    raise ValueError("no idea")


def _refused(kind: type[Exception], call: Callable[[ExecutionEvent], None], event: ExecutionEvent) -> Exception:
    """Return the error with which an event is refused."""
    import pytest

    with pytest.raises(kind) as caught:
        call(event)
    return caught.value
