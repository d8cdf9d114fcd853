"""Judging the recorded runs of a map by the overload rules of the question."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peva_env.config import AskedRules, OverloadConfig, changed_rules, flat_rules, limit_text
from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.memory import RULES, SessionRules, judged_by, other_rules, rules_in


@dataclass(frozen=True, slots=True)
class JudgedRuns:
    """Measured runs as some rules judge them, their context with these rules, and remarks for users, a line each."""

    runs: Sequence[ExecutionEvent]
    context: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def judge_runs(
    runs: Sequence[ExecutionEvent],
    context: Mapping[str, Any],
    sessions: Mapping[str, SessionRules],
    asked: AskedRules,
) -> JudgedRuns:
    """Return runs as the rules of a question judge them.

    Args:
        runs: the measured runs.
        context: the context of the last campaign, with its rules.
        sessions: the rules of the campaigns by run_id.
        asked: the rules, or what differs from those of the last campaign; None for the rules of the last campaign.

    Raises:
        ConfigError: a rule is wrong, or it is for a function that the context does not have.
    """
    own = rules_in(context)
    if asked is None and own is None:
        return JudgedRuns(runs, context)
    usual = own.overload if own else OverloadConfig()
    rules = changed_rules(usual, asked)
    _require_functions(rules, usual, context)
    others = other_rules(rules, sessions)
    if asked is not None:
        others |= {run.run_id: SessionRules(rules, math.nan) for run in runs if run.run_id not in sessions}
    judged = judged_by(rules, runs, others)
    n_anew = sum(run.run_id in others for run in runs)
    n_lost = sum(run.is_valid and not now.is_valid for run, now in zip(runs, judged, strict=True))
    is_unmetered = rules.cpu_overload_pct_of_capacity is None and rules.ram_overload_pct is None
    notes = (*_notes(_changes(usual, rules), n_anew, n_lost), *(("no rule on CPU and RAM",) if is_unmetered else ()))
    return JudgedRuns(judged, {**context, RULES: rules.as_context()}, notes)


def _require_functions(rules: OverloadConfig, usual: OverloadConfig, context: Mapping[str, Any]) -> None:
    known = context.get("functions")
    for name in sorted(rules.functions.keys() - usual.functions.keys()):
        if isinstance(known, Mapping) and name not in known:
            raise ConfigError(f"rules: there is no function {name!r}; there are: {', '.join(sorted(known))}")


def _changes(usual: OverloadConfig, rules: OverloadConfig) -> str:
    """Return the limits of some rules that differ from the usual ones, as text; empty if none does."""
    was, now = (flat_rules(one.as_context()) for one in (usual, rules))
    return ", ".join(
        f"{key} {limit_text(now.get(key))}" for key in sorted(was.keys() | now.keys()) if was.get(key) != now.get(key)
    )


def _notes(changes: str, n_anew: int, n_lost: int) -> Iterator[str]:
    if changes:
        yield f"judged by other rules than in the last campaign: {changes}"
    elif n_anew:
        yield f"judged anew by the rules of the last campaign: {n_anew:,} runs of campaigns with other rules"
    if n_lost:
        yield f"runs that these rules cannot judge, because what they need was not measured: {n_lost:,}"
