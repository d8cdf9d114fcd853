"""When a policy is updated: after each event, or after several."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peva_env.contracts import ExecutionEvent, PolicyAlgorithm
from peva_env.errors import PolicyError
from peva_env.planning.policies import NoOpPolicy


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
    """Hands events to a policy.

    Args:
        schedule: when.
        on_update: called after each update with the policy's name, the number of events, and what the policy returned.
    """

    def __init__(self, schedule: UpdateSchedule, on_update: Callable[[str, int, Any], None] | None = None) -> None:
        self.policy: PolicyAlgorithm = NoOpPolicy()
        self._schedule = schedule
        self._on_update = on_update
        self._pending: list[ExecutionEvent] = []
        self._pending_since = 0.0

    def begin(self) -> None:
        """Forget policy and pending events of the campaign before."""
        self.policy = NoOpPolicy()
        self._pending.clear()

    def learn(self, event: ExecutionEvent) -> None:
        """Take an event.

        Raises:
            PolicyError: the policy raised.
        """
        if self._schedule.mode == "online":
            self._update("update_online", event, 1)
            return
        if not self._pending:
            self._pending_since = self._schedule.clock()
        self._pending.append(event)
        window_over = self._schedule.clock() - self._pending_since >= self._schedule.window_s
        if len(self._pending) >= self._schedule.batch_size or window_over:
            self.flush()

    def flush(self) -> None:
        """Hand pending events to the policy.

        Raises:
            PolicyError: the policy raised.
        """
        if self._pending:
            events, self._pending = self._pending, []
            self._update("update_batch", events, len(events))

    def _update(self, method: str, argument: ExecutionEvent | list[ExecutionEvent], n_events: int) -> None:
        name = type(self.policy).__name__
        try:
            score: Any = getattr(self.policy, method)(argument)
        except Exception as error:
            raise PolicyError(f"policy {name} failed in {method}: {error!r}; the event is stored") from error
        if self._on_update:
            self._on_update(name, n_events, score)
