"""The runs of a resumed campaign that a policy learns from."""

from collections.abc import Iterable

from peva_env.contracts import ExecutionEvent


def valid_runs(history: Iterable[ExecutionEvent]) -> list[ExecutionEvent]:
    """Return the events that update a policy: valid runs, without skipped configurations and INVALID runs."""
    return [event for event in history if event.is_valid]
