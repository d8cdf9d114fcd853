"""Judging a stored run anew, by other rules than those of its time.

Not every run can be judged by every rule. A run is INVALID under rules that need what was not measured. A run that was
aborted early is a bound: it is OVERLOADED if the rules would make it so even if the rest of the run had succeeded, and
INVALID otherwise. A run that was stopped because its verdict was decided counts under other rules where its values
decide them, too; else it is INVALID, too short for them. A run that was INVALID for another cause than a missing
measurement stays INVALID.
"""

from peva_env.config import OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.rules.checks import NOT_MEASURED
from peva_env.rules.early_abort import ABORTED, judge_aborted
from peva_env.rules.judge import Judgement, judge
from peva_env.rules.other_causes import IN_DOUBT
from peva_env.rules.sequential import STOPPED, judge_stopped

_SATURATED_PCT = 80.0
"""CPU use, as percent of all cores, above which k6 may be the bottleneck: 500 requests/s take 20 % of two cores."""


_NOTHING_STORED = "its measurements are not stored, so that other rules cannot judge it"


def judge_stored(event: ExecutionEvent, rules: OverloadConfig, duration_s: float) -> Judgement:
    """Return the judgement of a stored run by some rules; ``duration_s`` is the planned length of the run."""
    if any(reason.startswith(ABORTED) for reason in event.reasons):
        return judge_aborted(event.functions, event.node, rules, duration_s=duration_s, ran_s=event.duration_s)
    if any(reason.startswith(STOPPED) for reason in event.reasons):
        return judge_stopped(event.functions, event.node, rules, duration_s=duration_s, ran_s=event.duration_s)
    return judge(event.functions, event.node, rules)


def judge_again(event: ExecutionEvent, rules: OverloadConfig, duration_s: float) -> ExecutionEvent:
    """Return a measured event with the verdict, reasons and margin that it has by some rules.

    Args:
        event: a measured event.
        rules: the rules of the question.
        duration_s: the planned length of the run.
    """
    if not _can_be_judged(event):
        return event
    if not event.functions:
        return Judgement(Verdict.INVALID, (_NOTHING_STORED,)).given_to(event)
    judgement = judge_stored(event, rules, duration_s)
    if judgement.verdict is Verdict.OVERLOADED:
        problem = saturation(event.generator_cpu_pct)
        judgement = Judgement(Verdict.INVALID, (problem,)) if problem else judgement
    doubts = (reason.removeprefix(IN_DOUBT) for reason in event.reasons if reason.startswith(IN_DOUBT))
    return judgement.doubted(doubts).given_to(event)


def saturation(generator_cpu_pct: float | None) -> str | None:
    """Return why an overloaded run says nothing about the node: k6 used too much CPU; else None."""
    if generator_cpu_pct is None or generator_cpu_pct <= _SATURATED_PCT:
        return None
    return (
        f"the load generator was saturated: k6 used {generator_cpu_pct:.0f} % of all cores; offer less, or use more "
        "cores"
    )


def _can_be_judged(event: ExecutionEvent) -> bool:
    if event.is_valid:
        return True
    return event.kind is EventKind.MEASURED and any(reason.endswith(NOT_MEASURED) for reason in event.reasons[:1])
