"""The memory at work: stores events, keeps ledger and tensors up to date, and drives the policy's updates."""

import threading
from collections.abc import Callable, Sequence, Set
from functools import partial

from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Ledger, PolicyAlgorithm
from peva_env.errors import MemoryStoreError, PolicyError
from peva_env.memory.clock import MemoryClock
from peva_env.memory.duckdb_errors import naming
from peva_env.memory.event_rows import stream_events
from peva_env.memory.ledger import RunLedger
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.memory.policy_log import PolicyLog
from peva_env.memory.session_rules import judged_by, other_rules, rules_in
from peva_env.memory.store import DuckDBMemoryStore, Session
from peva_env.memory.suspects import as_read
from peva_env.memory.tensors import TensorCache
from peva_env.planning import PolicyUpdates, UpdateSchedule
from peva_env.space import ConfigKey


class InProcessMemoryEngine:
    """Store, ledger, tensor cache and policy in one process.

    Events of another context or repetition than the session's are stored only: they enter neither ledger nor policy.
    Without a session every event counts. Threads that ingest events wait for each other, also for the policy's update.

    Args:
        store: the DuckDB store; ``startup`` opens it.
        ledger: counts the runs of the present campaign.
        schedule: when the policy is updated.
        checkpoint: where ``checkpoint()`` exports to, if anywhere.
        preload: folders to merge in at ``startup``, if any.
    """

    def __init__(
        self,
        store: DuckDBMemoryStore,
        *,
        ledger: Ledger | None = None,
        schedule: UpdateSchedule | None = None,
        checkpoint: ParquetCheckpoint | None = None,
        preload: ParquetCheckpoint | None = None,
    ) -> None:
        schedule = schedule or UpdateSchedule()
        self.store = store
        self.ledger: Ledger = ledger or RunLedger()
        self.tensors = TensorCache()
        self.stored_history: Sequence[ExecutionEvent] = ()  # of this session, with the verdicts of their time
        self.completed_at = 0.0  # when this campaign was last complete, seconds since the epoch; 0 if never
        self.judged_anew: Set[ConfigKey] = frozenset()  # configurations with runs that this session's rules judged anew
        self._checkpoint = checkpoint
        self._preload = preload
        self._log = PolicyLog(store, schedule.mode)
        self._updates = PolicyUpdates(schedule)
        self._session: Session | None = None
        self._threads_wait = threading.RLock()

    def startup(self, session: Callable[[], Session] | None = None) -> None:
        """Open the store and merge in the preloaded folders.

        Args:
            session: returns the session that will be opened; called when the folders are merged, before that is stored.

        Raises:
            MemoryStoreError: the store or a preloaded folder cannot be used, see ``DuckDBMemoryStore.startup``; or the
                folders bring another campaign with the ``run_id`` of the session. The store is closed and as it was:
                nothing is merged, and nothing is left of a file that this call has begun.
        """
        self.store.startup()
        try:
            if self._preload:
                with naming(self.store.database.path):
                    before = self.store.run_ids()
                check = partial(self._require_name, before, session) if session else lambda: None
                self._preload.preload_all(before_commit=check)
            with naming(self.store.database.path):
                self.tensors.rebuild(self.store.database.connection)
        except BaseException:
            self.store.discard()
            raise

    @property
    def clock(self) -> MemoryClock:
        """The times of events, since a session was opened."""
        return self.store.clock

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update this policy from now on, and enter the agent in the session."""
        self._updates.policy = policy
        if self._session is not None:
            self.store.name_agent(self._session.run_id, agent)

    def open_session(self, session: Session) -> list[ExecutionEvent]:
        """Begin or resume a campaign, and return the events that its context and repetition already have.

        Runs of campaigns with other overload rules are judged anew by the rules in this session's context, for the
        returned events and for the tensor cache; the stored verdicts do not change.

        Raises:
            MemoryStoreError: the memory cannot be read or written, or see ``DuckDBMemoryStore.open_session``.
        """
        with naming(self.store.database.path):
            self.completed_at = self.store.completed_at(session.context_hash, session.repetition)
            self.store.open_session(session)
            self._session = session
            self._updates.begin()  # an earlier campaign's policy has no part in this one
            self._log.begin(session)
        return self._load(session)

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
                self._flush()
        except PolicyError as error:
            status, detail = EndStatus.FAILED, str(error)
            raise
        finally:
            self._log.end()
            self.store.close_session(self._session.run_id, status, detail)
            self._session = None

    def close(self) -> None:
        """Close the store; may be called twice."""
        self.store.close()

    def is_seen(self, key: ConfigKey) -> bool:
        """Tell whether a configuration is complete in this session's context and repetition."""
        return self.ledger.is_complete(key)

    def tensor_cache_size(self) -> int:
        """Return how many events the tensor cache holds: the valid measured ones of all campaigns."""
        return len(self.tensors)

    def ingest_event(self, event: ExecutionEvent) -> None:
        """Store an event durably, then update the policy. INVALID runs and skipped configurations update no policy.

        The row of the update is stored in one transaction with the event.

        Raises:
            MemoryStoreError: the event cannot be stored.
            PolicyError: the policy raised; the event is stored.
        """
        with self._threads_wait:
            is_ours = self._belongs(event)
            teaches = is_ours and event.is_valid
            due = self._updates.due(event) if teaches else []
            row = self._log.row(self._updates.policy_name, len(due))
            if not self.store.insert_events([event], [row] if row else []):
                return
            self.tensors.add(event)
            if is_ours:
                self.ledger.record(event)
            if teaches:
                self._log.run(row, lambda: self._updates.learn(event, due))

    def ingest_skips(self, events: Sequence[ExecutionEvent]) -> None:
        """Store events of configurations that need not be run, in one transaction."""
        with self._threads_wait:
            self.store.insert_events(events)
            for event in filter(self._belongs, events):
                self.ledger.record(event)

    def ingest_marks(self, marks: Sequence[ExecutionEvent]) -> list[ExecutionEvent]:
        """Store marks of suspect runs, in one transaction, and return the history of this session as it is now.

        Ledger and tensors are rebuilt from the store, as at a resume. Policies keep what they learnt of these runs.
        """
        if self._session is None:
            raise MemoryStoreError("there is no campaign whose runs could be suspect: open a session first")
        self.store.insert_events(marks)
        with naming(self.store.database.path):
            self.tensors.rebuild(self.store.database.connection)
        return self._load(self._session)

    def history(self) -> list[ExecutionEvent]:
        """Return the events that the context and repetition of this session have now; none without a session."""
        return self._load(self._session) if self._session else []

    def checkpoint(self) -> None:
        """Hand pending events to the policy, then write the exports that were asked for."""
        self._flush()
        if self._checkpoint:
            self._checkpoint.export_all()

    def _flush(self) -> None:
        """Hand pending events to the policy."""
        with self._threads_wait:
            row = self._log.row(self._updates.policy_name, self._updates.n_pending)
            if row:
                self.store.insert_events([], [row])
            self._log.run(row, self._updates.flush)

    def _load(self, session: Session) -> list[ExecutionEvent]:
        """Read the events that the context and repetition of a session have, and begin the ledger with them."""
        with naming(self.store.database.path):
            self.stored_history = self.store.events(session.context_hash, session.repetition)
            history = self._judged_by_rules_of(session)
        self.ledger.begin(history)
        return history

    def _judged_by_rules_of(self, session: Session) -> list[ExecutionEvent]:
        """Return the history of a session as its rules judge it, and make the labels of the tensor cache agree."""
        own = rules_in(session.context)
        others = other_rules(own.overload, self.store.session_rules()) if own else {}
        self.judged_anew = {
            event.config_key
            for event in self.stored_history
            if event.run_id in others and event.kind is EventKind.MEASURED
        }
        as_stored = as_read(self.stored_history)
        if not (own and others):
            return as_stored
        of_others = as_read(
            stream_events(
                self.store.database.connection,
                "kind IN ('measured', 'suspect') AND list_contains(?, run_id)",
                [list(others)],
            )
        )
        self.tensors.rebuild(
            self.store.database.connection, leave_out=others, then=judged_by(own.overload, of_others, others)
        )
        return judged_by(own.overload, as_stored, others)

    def _require_name(self, before: Set[str], of: Callable[[], Session]) -> None:
        """Raise ``MemoryStoreError`` if another campaign has the run_id of a session.

        ``before`` are the names that the memory had before the folders were merged.
        """
        session = of()
        difference = self.store.namesake(session)
        if difference is not None and self._preload and session.run_id not in before:
            raise MemoryStoreError(
                f"memory {self.store.database.path}: cannot preload {self._preload.core_dir}: its campaign "
                f"{session.run_id!r} is another one than the campaign that begins, {difference}"
            )
        self.store.require_name(session)

    def _belongs(self, event: ExecutionEvent) -> bool:
        session = self._session
        return session is None or (event.context_hash, event.repetition) == (session.context_hash, session.repetition)
