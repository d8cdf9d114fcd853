"""Early abort: the number of failures after which a run is certainly overloaded, and the verdict of an aborted run.

The bound is arithmetic, not statistics. A function is offered at most ``rate * duration + 1`` requests, its *plan*. The
rules allow a share of them to fail. If more than this share of the plan has failed, the success rate is below its
minimum even if every other request of the run succeeds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.judge import Judgement, absent, apply_rules

ABORTED = "aborted after "
"""Start of the first reason of an aborted run."""

_ROUNDING = 1e-9


def most_failures(rates_rps: Sequence[int], duration_s: float, rules: OverloadConfig) -> list[int]:
    """Return for each function, in order, the highest number of failed or dropped requests of a run that is still OK.

    One function alone can break the rule on the mean success. So the bound also holds that rule's share, computed with
    success 1 for all other functions.
    """
    of_mean = len(rates_rps) * (1 - rules.success_rate_node_min)
    share = min(1 - rules.success_rate_function_min, of_mean)
    return [math.floor(share * _plan(rate_rps, duration_s) + _ROUNDING) for rate_rps in rates_rps]


def judge_aborted(
    functions: Sequence[FunctionMeasurement],
    node: NodeMeasurement,
    rules: OverloadConfig,
    *,
    duration_s: float,
    ran_s: float,
) -> Judgement:
    """Judge a run that was aborted after ``ran_s`` of ``duration_s`` as if all its remaining requests had succeeded.

    Verdict, reasons and margin are those of this best case. So the margin is an upper bound of the margin of the whole
    run. CPU and RAM count if they were measured before the abort. ``is_certain`` depends on the measured values, as for
    any run. The verdict is INVALID if the best case is OK.
    """
    problems = list(absent(functions))
    if problems:
        return Judgement(Verdict.INVALID, tuple(problems))
    node = replace(node, cpu_pct=_finite(node.cpu_pct), ram_pct=_finite(node.ram_pct))
    best = apply_rules([_at_best(function, duration_s) for function in functions], node, rules)
    ended = f"{ABORTED}{ran_s:.1f} s of {duration_s:g} s"
    if best.verdict is not Verdict.OVERLOADED:
        return Judgement(Verdict.INVALID, (f"{ended}, before the failures made it overloaded",))
    reasons = (f"{ended}: overloaded even if the rest had succeeded", *best.reasons)
    return replace(best, reasons=reasons, is_certain=apply_rules(functions, node, rules).is_certain)


def _at_best(function: FunctionMeasurement, duration_s: float) -> FunctionMeasurement:
    plan = _plan(function.rate_rps, duration_s)
    lost = function.offered - function.succeeded
    return replace(function, success_rate=max(0.0, 1 - lost / plan))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plan(rate_rps: int, duration_s: float) -> float:
    return rate_rps * duration_s + 1
