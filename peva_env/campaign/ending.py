"""Why a campaign ended, in words: a reason, a colon, and the particulars."""

from peva_env.campaign.budget import Budget
from peva_env.campaign.confirmation import MOST_RUNS, Confirmation
from peva_env.contracts import UNEVEN, EndReason, EndStatus
from peva_env.inference import MonotoneMap


def why_ended(
    status: EndStatus,
    known: MonotoneMap,
    budget: Budget,
    confirmation: Confirmation | None = None,
    *,
    goes_on_with_some: bool = False,
) -> str | None:
    """Return why a campaign ended with this status; None of a failure, whose error says it.

    Args:
        status: how it ended.
        known: its map.
        budget: what it could spend.
        confirmation: what confirms its map, if anything.
        goes_on_with_some: whether it ran some configurations of the plan only, after a campaign of others.
    """
    if status is EndStatus.FAILED:
        return None
    if status is not EndStatus.COMPLETE:
        why = _why_incomplete(status, known, budget)
    else:
        why = _why_complete(known) if confirmation is None else _why_confirmed(known, confirmation)
    is_uneven = goes_on_with_some or (confirmation is not None and confirmation.has_run_more)
    return f"{why}, with {UNEVEN}" if is_uneven else why


def _why_incomplete(status: EndStatus, known: MonotoneMap, budget: Budget) -> str:
    left = f"{known.n_unknown:,} configuration{' is' if known.n_unknown == 1 else 's are'} unknown"
    if not known.n_unknown:
        left = "the map is complete, and not confirmed"
    if status is EndStatus.BUDGET:
        return f"{_spent(budget)}, {left}"
    if status is EndStatus.STOPPED:
        return f"{EndReason.NO_CHOICE}: the agent picks nothing more, {left}"
    return f"{EndReason.INTERRUPTED}: {left}"


def _why_complete(known: MonotoneMap) -> str:
    apart, n_all = known.quarantined(), f"all {known.n_configs:,} verdicts"
    if apart:
        return (
            f"{EndReason.NOISE}: {len(apart):,} configurations contradict each other after all their runs, the rest is "
            "proved"
        )
    n_measured = len(known.measured)
    if n_measured >= known.n_configs:
        return f"{EndReason.COMPLETE}: every configuration was measured"
    if known.labels is None or known.dominance == "one_sided":
        return f"{EndReason.PROVED}: {n_measured:,} measured configurations prove {n_all}"
    return f"{EndReason.PROVED}: {len(known.certificate()):,} of {n_measured:,} measured configurations prove {n_all}"


def _why_confirmed(known: MonotoneMap, confirmation: Confirmation) -> str:
    n, n_open = len(known.certificate()), len(confirmation.unconfirmed())
    if n_open:
        near = f"{n_open:,} of {n:,} lie so near a limit that {MOST_RUNS} runs do not confirm them"
        return f"{_why_complete(known)}; {near}"
    return f"{EndReason.CONFIRMED}: each of its {n:,} verdicts has a confidence of {confirmation.level:g}"


def _spent(budget: Budget) -> str:
    runs_left, seconds_left = budget.left
    if not runs_left:
        return f"{EndReason.RUNS}: all {budget.runs:,} are spent"
    if not seconds_left:
        return f"{EndReason.SECONDS}: all {budget.seconds:,g} s are spent"
    return f"{EndReason.STEPS}: all {budget.steps:,} are spent"
