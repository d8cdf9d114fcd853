"""Early abort: the number of failures after which a run is certainly overloaded, and the verdict of an aborted run.

The bound is arithmetic, not statistics. A function is offered at most ``rate * duration + 1`` requests, its *plan*. The
rules allow a share of them to fail. If more than this share of the plan has failed, the success rate is below its
minimum even if every other request of the run succeeds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from peva_env.config import LATENCIES, OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.judge import Judgement, absent, apply_rules, caused_by_load
from peva_env.space import Config

ABORTED = "aborted after "
"""Start of the first reason of an aborted run."""

_ROUNDING = 1e-9


def most_failures(config: Config, duration_s: float, rules: OverloadConfig) -> list[int]:
    """Return the most failed or dropped requests of each function with which its run can still be OK, in order.

    A single function can break the rule on the mean success, so that rule also bounds its share, with all other
    functions succeeding. Without a rule on success, no number of failures makes a run overloaded: the plan is returned.
    """
    node_min = rules.success_rate_node_min
    of_mean = 1.0 if node_min is None else len(config) * (1 - node_min)
    most = []
    for name, rate_rps in config:
        own_min = rules.limits_of(name).success_rate_min
        share = min(1.0 if own_min is None else 1 - own_min, of_mean)
        most.append(math.floor(share * planned(rate_rps, duration_s) + _ROUNDING))
    return most


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
    best = caused_by_load(
        functions,
        lambda measured: apply_rules([_at_best(function, duration_s) for function in measured], node, rules),
    )
    if best.verdict is Verdict.INVALID:
        return best
    ended = f"{ABORTED}{ran_s:.1f} s of {duration_s:g} s"
    if best.verdict is not Verdict.OVERLOADED:
        return Judgement(Verdict.INVALID, (f"{ended}, before the failures made it overloaded",))
    reasons = (f"{ended}: overloaded even if the rest had succeeded", *best.reasons)
    return replace(best, reasons=reasons, is_certain=apply_rules(functions, node, rules).is_certain)


def _at_best(function: FunctionMeasurement, duration_s: float) -> FunctionMeasurement:
    plan = planned(function.rate_rps, duration_s)
    lost = function.offered - function.succeeded
    unknown: dict[str, Any] = dict.fromkeys(LATENCIES)  # the other requests could have made any latency low
    success_rate = max(0.0, 1 - lost / plan)
    return replace(function, success_rate=success_rate, succeeded=function.offered, backlog=0, **unknown)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def planned(rate_rps: int, duration_s: float) -> float:
    """Return the most requests that a function is offered in a run."""
    return rate_rps * duration_s + 1
