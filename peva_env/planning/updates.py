"""When a policy is updated: after each event, or after several."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peva_env.contracts import ExecutionEvent, PolicyAlgorithm
from peva_env.errors import PolicyError
from peva_env.planning.policies import NoOpPolicy
from peva_env.system import exception_text, raise_end


@dataclass(frozen=True, slots=True)
class UpdateSchedule:
    """When a policy is updated.

    ``online``: after each event. ``micro_batch``: when ``batch_size`` events are pending, or ``window_s`` seconds have
    passed since the first of them; ``clock`` returns monotonic seconds.
    """

    mode: str = "online"
    batch_size: int = 8
    window_s: float = 30
    clock: Callable[[], float] = time.monotonic


class PolicyUpdates:
    """Hands events to a policy, as a schedule says."""

    def __init__(self, schedule: UpdateSchedule) -> None:
        self.policy: PolicyAlgorithm = NoOpPolicy()
        self._schedule = schedule
        self._pending: list[ExecutionEvent] = []
        self._pending_since = 0.0

    @property
    def policy_name(self) -> str:
        """The class of the policy."""
        return type(self.policy).__name__

    @property
    def n_pending(self) -> int:
        """How many events wait for the next update."""
        return len(self._pending)

    def begin(self) -> None:
        """Discard the policy and the pending events of the previous campaign."""
        self.policy = NoOpPolicy()
        self._pending.clear()

    def due(self, event: ExecutionEvent) -> list[ExecutionEvent]:
        """Return the events of the update that this event triggers, none if it triggers no update. Changes nothing."""
        if self._schedule.mode == "online":
            return [event]
        events = [*self._pending, event]
        is_full = len(events) >= self._schedule.batch_size
        waited_s = self._schedule.clock() - self._pending_since if self._pending else 0.0
        return events if is_full or waited_s >= self._schedule.window_s else []

    def learn(self, event: ExecutionEvent, due: list[ExecutionEvent] | None = None) -> Any:
        """Take an event, and update the policy if an update is due.

        Args:
            event: a valid event of the campaign.
            due: what ``due(event)`` returned, if it was asked before.

        Returns:
            What the policy returned; None without an update.

        Raises:
            PolicyError: the policy raised an exception.
        """
        due = self.due(event) if due is None else due
        if not due:
            if not self._pending:
                self._pending_since = self._schedule.clock()
            self._pending.append(event)
            return None
        self._pending.clear()
        if self._schedule.mode == "online":
            return self._update("update_online", event)
        return self._update("update_batch", due)

    def flush(self) -> Any:
        """Hand pending events to the policy, and return what it returned; without pending events do nothing.

        Raises:
            PolicyError: the policy raised.
        """
        if not self._pending:
            return None
        events, self._pending = self._pending, []
        return self._update("update_batch", events)

    def _update(self, method: str, argument: ExecutionEvent | list[ExecutionEvent]) -> Any:
        try:
            return getattr(self.policy, method)(argument)
        except BaseException as error:
            raise_end(error)
            name = self.policy_name
            raise PolicyError(
                f"policy {name} failed in {method}: {exception_text(error)}; the event is stored"
            ) from error
