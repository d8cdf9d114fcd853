"""What a policy learns from before its first choice: the runs of a resumed campaign, and the steps of a scouting."""

from collections.abc import Iterable

from peva_env.contracts import EventKind, ExecutionEvent, Verdict


def valid_runs(history: Iterable[ExecutionEvent]) -> list[ExecutionEvent]:
    """Return the events that update a policy: valid runs, without skipped configurations and INVALID runs."""
    return [event for event in history if event.is_valid]


def valid_steps(history: Iterable[ExecutionEvent]) -> list[ExecutionEvent]:
    """Return the steps of a scouting that measured something: evidence for estimates, never a verdict."""
    return [event for event in history if event.kind is EventKind.SCOUTED and event.verdict is not Verdict.INVALID]
