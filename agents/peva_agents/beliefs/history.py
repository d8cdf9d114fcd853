"""What a policy may learn from a campaign that it goes on with."""

from collections.abc import Iterable

from peva_env.contracts import ExecutionEvent


def valid_runs(history: Iterable[ExecutionEvent]) -> list[ExecutionEvent]:
    """Return the events that would have been told to a policy: runs that were valid, not what was skipped or failed."""
    return [event for event in history if event.is_valid]
