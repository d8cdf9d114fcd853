"""When a policy is told of events: one by one, or several at once."""

from collections.abc import Callable
from typing import Any

from peva_env.contracts import ExecutionEvent, PolicyAlgorithm
from peva_env.errors import PolicyError
from peva_env.planning.policies import NoOpPolicy


class PolicyUpdates:
    """Hands events to a policy.

    Args:
        mode: ``online`` hands over each event, ``micro_batch`` several when ``batch_size`` are pending or ``window_s``
            seconds have passed since the first of them.
        batch_size: see above.
        window_s: see above.
        clock: monotonic seconds.
        updated: is told of each update: the policy's name, the number of events, and what the policy returned.
    """

    def __init__(
        self,
        *,
        mode: str,
        batch_size: int,
        window_s: float,
        clock: Callable[[], float],
        updated: Callable[[str, int, Any], None],
    ) -> None:
        self.policy: PolicyAlgorithm = NoOpPolicy()
        self._mode = mode
        self._batch_size = batch_size
        self._window_s = window_s
        self._clock = clock
        self._updated = updated
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
        if self._mode == "online":
            self._update("update_online", event, 1)
            return
        if not self._pending:
            self._pending_since = self._clock()
        self._pending.append(event)
        window_over = self._clock() - self._pending_since >= self._window_s
        if len(self._pending) >= self._batch_size or window_over:
            self.flush()

    def flush(self) -> None:
        """Hand over what is pending.

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
        self._updated(name, n_events, score)
