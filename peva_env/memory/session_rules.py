"""By which overload rules the campaigns of a memory judged their runs, and judging these runs by other rules."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import duckdb
from pydantic import ValidationError

from peva_env.config import OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.memory.contexts import RULES, parsed_context
from peva_env.rules import Judgement, judge_again, majority
from peva_env.space import ConfigKey

LAST_S = """greatest(s.started_at, s.ended_at,
    (SELECT max(e.ended_at) FROM execution_events e WHERE e.run_id = s.run_id))"""
"""SQL expression of when a session ``s`` last did something: a campaign of a name goes on later than it began."""


_NO_CANARY = "by these rules its configuration was not known to be OK"


class SessionRules(NamedTuple):
    """The overload rules of a campaign, and how long its runs were to last in seconds."""

    overload: OverloadConfig
    duration_s: float


def rules_in(context: Mapping[str, Any]) -> SessionRules | None:
    """Return the rules that a context holds, or None if it holds none that can be read."""
    try:
        rules = OverloadConfig.model_validate(context[RULES])
        return SessionRules(rules, float(context.get("duration_s", math.nan)))
    except (KeyError, TypeError, ValueError, ValidationError):
        return None


def session_rules(connection: duckdb.DuckDBPyConnection, sessions: str = "run_sessions") -> dict[str, SessionRules]:
    """Return the rules of each campaign whose context holds them, by run_id.

    ``sessions`` is an SQL relation with the columns of ``run_sessions``.
    """
    by_text: dict[str, SessionRules | None] = {}
    found = {}
    for run_id, text in connection.execute(f"SELECT run_id, context_json FROM {sessions}").fetchall():  # noqa: S608
        if text not in by_text:
            by_text[text] = rules_in(parsed_context(text))
        rules = by_text[text]
        if rules is not None:
            found[run_id] = rules
    return found


def other_rules(rules: OverloadConfig, sessions: Mapping[str, SessionRules]) -> dict[str, SessionRules]:
    """Return the rules of the campaigns that judged by other rules, by run_id."""
    wanted = rules.as_context()
    differs: dict[int, bool] = {}  # campaigns share few rules
    for own in sessions.values():
        if id(own.overload) not in differs:
            differs[id(own.overload)] = own.overload.as_context() != wanted
    return {run_id: own for run_id, own in sessions.items() if differs[id(own.overload)]}


def judged_by(
    rules: OverloadConfig, events: Iterable[ExecutionEvent], others: Mapping[str, SessionRules]
) -> list[ExecutionEvent]:
    """Return events as they are under some rules, in the same order.

    Runs and canaries of campaigns with other rules are judged anew. The skipped and inferred configurations of these
    campaigns are left out, because they follow from verdicts that may be others now. All other events stay as they are.

    Args:
        rules: the rules of the question.
        events: events of any campaigns, in the order of their measurement.
        others: the campaigns with other rules, see ``other_rules``.
    """
    found = []
    verdicts: dict[ConfigKey, list[Verdict]] = {}  # of the valid runs so far
    for event in events:
        now, own = event, others.get(event.run_id)
        if own and event.kind in (EventKind.SKIPPED, EventKind.INFERRED):
            continue
        if own and event.kind is EventKind.MEASURED:
            now = judge_again(event, rules, own.duration_s)
        elif own and event.kind is EventKind.CANARY:
            now = _canary_again(event, rules, own.duration_s, was=majority(verdicts.get(event.config_key, ())))
        if now.is_valid:
            verdicts.setdefault(now.config_key, []).append(now.verdict)
        found.append(now)
    return found


def _canary_again(event: ExecutionEvent, rules: OverloadConfig, duration_s: float, *, was: Verdict) -> ExecutionEvent:
    """Return a canary as it is under some rules; ``was`` is the verdict of its configuration before, by these rules.

    It says nothing about the node if it is overloaded, and its configuration was not known to be OK.
    """
    run = judge_again(replace(event, kind=EventKind.MEASURED), rules, duration_s)
    if run.verdict is Verdict.OVERLOADED and was is not Verdict.OK:
        run = Judgement(Verdict.INVALID, (_NO_CANARY,)).given_to(run)
    return replace(run, kind=EventKind.CANARY)
