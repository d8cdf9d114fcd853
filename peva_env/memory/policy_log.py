"""The log of policy updates: each is stored in one transaction with the event that triggers it."""

from collections.abc import Callable
from numbers import Real
from typing import Any

from peva_env.memory.event_writer import PolicyUpdate
from peva_env.memory.store import DuckDBMemoryStore, Session


class PolicyLog:
    """Numbers the policy updates of a session, and adds their scores.

    A row is stored before its update begins, because the event must not wait for a policy that is slow: a process that
    is killed during the update leaves the row without a score.
    """

    def __init__(self, store: DuckDBMemoryStore, mode: str) -> None:
        self._store = store
        self._mode = mode
        self._session: Session | None = None

    def begin(self, session: Session) -> None:
        """Go on with the numbers of a session."""
        self._session = session
        self._next_index = self._store.next_update_index(session.run_id)

    def end(self) -> None:
        """Take no more updates until the next session."""
        self._session = None

    def row(self, policy: str, n_events: int) -> PolicyUpdate | None:
        """Return the row of an update that is about to begin, None for no events or without a session.

        Args:
            policy: the name of the policy.
            n_events: how many events the update is from.
        """
        if self._session is None or not n_events:
            return None
        return PolicyUpdate(
            self._session.run_id, self._next_index, self._store.clock.now(), policy, self._mode, n_events
        )

    def run(self, row: PolicyUpdate | None, update: Callable[[], Any]) -> None:
        """Run an update whose row is stored, and store the score that it returns, if it is a number.

        The row of an update that raises stays, without a score; the session says what failed.

        Raises:
            PolicyError: the policy raised.
        """
        if row is not None:
            self._next_index += 1
        score = update()
        if row is not None and isinstance(score, Real):
            self._store.set_score(row, float(score))
