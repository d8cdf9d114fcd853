"""The memory at work: stores events, knows what is complete, and drives the policy's updates."""

import time
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, PolicyAlgorithm, Verdict
from peva_env.errors import PolicyError
from peva_env.memory.key_set import KeySet
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.memory.store import DuckDBMemoryStore, PolicyUpdate, Session
from peva_env.memory.tensors import TensorCache
from peva_env.planning import PolicyUpdates
from peva_env.rules import is_decided
from peva_env.space import ConfigKey


class InProcessMemoryEngine:
    """Store, checkpoint, tensor cache and policy in one process.

    A configuration is *complete* when it has ``iterations`` valid runs in the session's context and repetition; where
    ``is_certain`` is given, when it has as many as decide it (``peva_env.rules.judge.is_decided``). Events of another
    context or repetition are stored, and that is all. Without a session every event counts.

    Args:
        store: the DuckDB store; ``startup`` opens it.
        iterations: valid runs that make a configuration complete.
        is_certain: tells of a valid run whether others would hardly say otherwise; without it all iterations are asked
            for.
        checkpoint: where ``checkpoint()`` exports to, if anywhere.
        preload: folders to merge in at ``startup``, if any.
        selection_mode: ``online`` updates the policy after each event, ``micro_batch`` when ``micro_batch_size`` are
            pending or ``micro_batch_window_s`` seconds have passed since the first of them.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: DuckDBMemoryStore,
        *,
        iterations: int = 1,
        is_certain: Callable[[ExecutionEvent], bool] | None = None,
        checkpoint: ParquetCheckpoint | None = None,
        preload: ParquetCheckpoint | None = None,
        selection_mode: str = "online",
        micro_batch_size: int = 8,
        micro_batch_window_s: float = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._iterations = iterations
        self._is_certain = is_certain
        self._checkpoint = checkpoint
        self._preload = preload
        self._mode = selection_mode
        self.tensors = TensorCache()
        self._policy_updates = PolicyUpdates(
            mode=selection_mode,
            batch_size=micro_batch_size,
            window_s=micro_batch_window_s,
            clock=clock,
            updated=self._updated,
        )
        self._session: Session | None = None
        self._updates: list[PolicyUpdate] = []  # made, but not stored yet
        self._next_update = 0
        self._verdicts: dict[ConfigKey, list[Verdict]] = {}
        self._certain = KeySet()  # has a run that is certain
        self._complete = KeySet()
        self._next_iteration: dict[ConfigKey, int] = {}
        self._not_run: set[tuple[ConfigKey, EventKind]] = set()

    def startup(self) -> None:
        """Open the store and merge in what was to be preloaded.

        Raises:
            MemoryStoreError: the store or a preloaded folder cannot be used; see ``DuckDBMemoryStore.startup``. The
                store is closed.
        """
        self.store.startup()
        try:
            if self._preload and self._preload.core_dir:
                self._preload.preload_core()
            if self._preload and self._preload.debug_dir:
                self._preload.preload_debug()
            self.tensors.rebuild(self.store.database.connection)
        except BaseException:
            self.store.close()
            raise

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update this policy from now on, and enter the agent in the session."""
        self._policy_updates.policy = policy
        if self._session is not None:
            self.store.name_agent(self._session.run_id, agent)

    def open_session(self, session: Session) -> list[ExecutionEvent]:
        """Begin or resume a campaign, and return the events that its context and repetition already have."""
        self.store.open_session(session)
        self._session = session
        self._policy_updates.begin()  # an earlier campaign's policy has no part in this one
        self._next_update = self.store.next_update_index(session.run_id)
        history = self.store.events(session.context_hash, session.repetition)
        self._verdicts.clear()
        self._certain.clear()
        self._complete.clear()
        self._next_iteration.clear()
        self._not_run.clear()
        for event in history:
            self._remember(event)
        return history

    def close_session(self, status: EndStatus, detail: str | None = None) -> None:
        """Hand pending events to the policy and record how the campaign ended; without an open session do nothing.

        The policy of a campaign that failed is left alone: it may be what failed.

        Raises:
            PolicyError: the policy raised; the session is recorded as failed.
        """
        if self._session is None:
            return
        try:
            if status is not EndStatus.FAILED:
                self._policy_updates.flush()
        except PolicyError as error:
            status, detail = EndStatus.FAILED, str(error)
            raise
        finally:
            self._record_updates()
            self.store.close_session(self._session.run_id, status, detail)
            self._session = None

    def close(self) -> None:
        """Close the store; may be called twice."""
        self.store.close()

    def is_seen(self, key: ConfigKey) -> bool:
        """Tell whether a configuration is complete in this session's context and repetition."""
        return key in self._complete

    def is_recorded(self, key: ConfigKey, kind: EventKind) -> bool:
        """Tell whether a configuration is recorded as skipped, or as inferred."""
        return (key, kind) in self._not_run

    def tensor_cache_size(self) -> int:
        """Return how many events the tensor cache holds: the valid measured ones of all campaigns."""
        return len(self.tensors)

    def missing_runs(self, key: ConfigKey, *, again: bool = False) -> int:
        """Return how many valid runs a configuration still lacks at most; ``again`` asks for twice as many in all."""
        verdicts = self._verdicts.get(key, [])
        if again:
            return max(0, 2 * self._iterations - len(verdicts))
        if self._is_certain and is_decided(verdicts, self._iterations, is_certain=key in self._certain):
            return 0
        return max(0, self._iterations - len(verdicts))

    def next_iteration(self, key: ConfigKey) -> int:
        """Return the number of a configuration's next run; INVALID runs have numbers too."""
        return self._next_iteration.get(key, 0)

    def verdicts(self, key: ConfigKey) -> list[Verdict]:
        """Return the verdicts of a configuration's valid runs."""
        return list(self._verdicts.get(key, ()))

    def ingest_event(self, event: ExecutionEvent) -> None:
        """Store an event durably, then update the policy. INVALID ones, and what was not run, teach it nothing.

        Raises:
            MemoryStoreError: the event cannot be stored.
            PolicyError: the policy raised; the event is stored.
        """
        # Updates are stored with the next event, or at the session's end: a commit of their own would cost half as much
        # as the event itself.
        is_new = self.store.insert_events([event], self._updates)
        self._updates.clear()
        if not is_new:
            return
        self.tensors.add(event)
        self._remember(event)
        if self._belongs(event) and event.kind is EventKind.MEASURED and event.verdict is not Verdict.INVALID:
            self._policy_updates.learn(event)

    def ingest_skips(self, events: Sequence[ExecutionEvent]) -> None:
        """Store events of configurations that need not be run, in one transaction."""
        self.store.insert_events(events)
        for event in events:
            self._remember(event)

    def checkpoint(self) -> None:
        """Hand pending events to the policy, then write the exports that were asked for."""
        self._policy_updates.flush()
        self._record_updates()
        if self._checkpoint:
            self._checkpoint.export_all()

    def _record_updates(self) -> None:
        if self._updates:
            self.store.insert_events([], self._updates)
            self._updates.clear()

    def _belongs(self, event: ExecutionEvent) -> bool:
        session = self._session
        return session is None or (event.context_hash, event.repetition) == (session.context_hash, session.repetition)

    def _remember(self, event: ExecutionEvent) -> None:
        if not self._belongs(event):
            return
        if event.kind is not EventKind.MEASURED:
            self._not_run.add((event.config_key, event.kind))
            return
        self._next_iteration[event.config_key] = max(self.next_iteration(event.config_key), event.iteration + 1)
        if event.verdict is not Verdict.INVALID:
            self._verdicts.setdefault(event.config_key, []).append(event.verdict)
            if self._is_certain and self._is_certain(event):
                self._certain.add(event.config_key)
            if not self.missing_runs(event.config_key):
                self._complete.add(event.config_key)

    def _updated(self, policy: str, n_events: int, score: Any) -> None:
        """Take note of an update, which is stored with the next event."""
        if self._session is not None:
            reported = float(score) if isinstance(score, Real) else None
            update = PolicyUpdate(
                self._session.run_id, self._next_update, time.time(), policy, self._mode, n_events, reported
            )
            self._updates.append(update)
            self._next_update += 1
