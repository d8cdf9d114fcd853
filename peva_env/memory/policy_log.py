"""Policy updates that are still to be stored."""

import time
from numbers import Real
from typing import Any

from peva_env.memory.store import DuckDBMemoryStore, PolicyUpdate, Session


class PolicyLog:
    """Numbers the policy updates of a session, and keeps them until they are stored with the next event.

    A commit of their own would cost half as much as that of the event.
    """

    def __init__(self, store: DuckDBMemoryStore, mode: str) -> None:
        self._store = store
        self._mode = mode
        self._session: Session | None = None
        self._next_index = 0
        self.pending: list[PolicyUpdate] = []

    def begin(self, session: Session) -> None:
        """Go on with the numbers of a session."""
        self._session = session
        self._next_index = self._store.next_update_index(session.run_id)

    def end(self) -> None:
        """Store pending updates, and take no more until the next session."""
        self.flush()
        self._session = None

    def add(self, policy: str, n_events: int, score: Any) -> None:
        """Take an update: the policy's name, how many events it was from, and what the policy returned."""
        if self._session is None:
            return
        reported = float(score) if isinstance(score, Real) else None
        run_id, now = self._session.run_id, time.time()
        self.pending.append(PolicyUpdate(run_id, self._next_index, now, policy, self._mode, n_events, reported))
        self._next_index += 1

    def flush(self) -> None:
        """Store pending updates."""
        if self.pending:
            self._store.insert_events([], self.pending)
            self.pending.clear()
