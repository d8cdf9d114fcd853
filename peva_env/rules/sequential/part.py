"""The verdict that a part of a run decides: what counts and latencies so far say of the whole run.

A rule is *decided* by a part of a run

- on a success rate and on the mean success: if the confidence sequence of the failing share excludes the other verdict;
- on a latency: OK if the latency and the growth that was not excluded stay clear of the limit, for a percentile with
  the confidence sequence of the share of slower requests; overloaded if the rest of the run cannot bring it below;
- on CPU and RAM: if the use is clear of its limit, or clearly beyond it (``Judgement.is_certain``);
- on replicas: OK if they are clear of their limit, overloaded if they reach it;
- on the backlog: overloaded if the queue grew. That it does not grow is tested before a run is ended as OK.

A part is OK if every rule is decided so, and OVERLOADED if one rule is. All rules must hold for OK, so that its error
rate is that of one rule (intersection-union test: Berger, Technometrics 24, 1982). One rule is enough for OVERLOADED,
so the error rate is divided among the functions (Bonferroni).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from peva_env.config import LATENCIES, OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.checks import MEAN_SUCCESS, SUCCESS_OF, Check, not_measured, rule_checks
from peva_env.rules.early_abort import planned
from peva_env.rules.judge import CLEARLY_OVER, Judgement, absent, apply_rules, caused_by_load
from peva_env.rules.sequential.bounds import LEAST_DESIGN_EFFECT, Bounds, share_bounds

STOPPED = "stopped after "
"""Start of the first reason of a run that was ended because its verdict was decided."""

ERROR_RATE = 0.01
"""Error rate of the verdict of a part of a run. A run is ended at half of it, because a few more requests end before
k6 does."""

LEAST_ALLOWED_MS = 50.0
"""Growth of a latency until the end of the run that is not excluded before a run is ended as OK; see ``allowed_ms``."""

_SHARE_BELOW = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99}


def judge_stopped(
    functions: Sequence[FunctionMeasurement],
    node: NodeMeasurement,
    rules: OverloadConfig,
    *,
    duration_s: float,
    ran_s: float,
) -> Judgement:
    """Judge a run that was ended after ``ran_s`` of ``duration_s``, because its verdict was decided.

    The verdict is INVALID if the part of the run decides nothing by these rules, which may be others than those by
    which the run was ended. Values, reasons and margin are those of the part.
    """
    judgement = judge_part(functions, node, rules, duration_s=duration_s, error_rate=ERROR_RATE)
    ended = f"{STOPPED}{ran_s:.1f} s of {duration_s:g} s"
    if judgement is None:
        return Judgement(Verdict.INVALID, (f"{ended}, which is too short for these rules",))
    if judgement.verdict is Verdict.INVALID:
        return replace(judgement, reasons=(*judgement.reasons, ended))
    decided = "clearly OK" if judgement.verdict is Verdict.OK else "clearly overloaded"
    return replace(judgement, reasons=(f"{ended}: {decided}", *judgement.reasons))


def judge_part(
    functions: Sequence[FunctionMeasurement],
    node: NodeMeasurement,
    rules: OverloadConfig,
    *,
    duration_s: float,
    error_rate: float,
    design_effects: Mapping[str, float] | None = None,
) -> Judgement | None:
    """Return the judgement that a part of a run decides; None if it decides none.

    It is INVALID if the part shows another cause of its failures than load, or lacks a value that OK needs.

    Args:
        functions: what was measured in the part.
        node: the use of the node in the part.
        rules: the overload rules.
        duration_s: the planned length of the run.
        error_rate: the probability that a share is outside of its bounds.
        design_effects: of the failures of each function, by name; the least one where it is left out.
    """
    problems = tuple(absent(functions))
    if problems:
        return Judgement(Verdict.INVALID, problems)
    effects = design_effects or {}

    def apply(measured: Sequence[FunctionMeasurement]) -> Judgement:
        shares = {one.name: _failing_share(one, error_rate / len(measured), effects) for one in measured}
        overloaded = _decides_overload(rule_checks(measured, node, rules), measured, shares, rules, duration_s)
        judgement = apply_rules(measured, node, rules)
        # What is not decided is as good as OK for the causes of an overload.
        return judgement if overloaded else replace(judgement, verdict=Verdict.OK)

    judgement = caused_by_load(functions, apply)
    if judgement.verdict is not Verdict.OK:
        return judgement
    checks = rule_checks(functions, node, rules)
    shares = {one.name: _failing_share(one, error_rate, effects) for one in functions}
    if not all(_is_clear(check, shares, rules) for check in checks):
        return None
    if not all(_is_fast(one, rules, error_rate) for one in functions if one.offered):
        return None
    missing = tuple(not_measured(functions, node, rules))
    return Judgement(Verdict.INVALID, missing) if missing else judgement


def slow_ms(function: str, rules: OverloadConfig) -> tuple[int, ...]:
    """Return latencies in ms below which nearly all requests must stay, so that a run can be ended as OK.

    They are below the limits of the function's percentiles by the growth that is allowed to most functions.
    """
    limits = dict(zip(LATENCIES, rules.limits_of(function).latencies_ms, strict=True))
    highest = (
        limit - max(LEAST_ALLOWED_MS, limit / 3) for key, limit in limits.items() if limit and key in _SHARE_BELOW
    )
    return tuple(sorted({math.floor(one_ms) for one_ms in highest if one_ms >= 1}))


def allowed_ms(function: FunctionMeasurement) -> float:
    """Return the growth of a function's latency until the end of a run with which the run may be ended as OK, in ms."""
    return max(LEAST_ALLOWED_MS, function.mean_ms or 0.0)


def _failing_share(function: FunctionMeasurement, error_rate: float, effects: Mapping[str, float]) -> Bounds:
    if not function.rate_rps:
        return Bounds(0.0, 0.0)
    effect = effects.get(function.name, LEAST_DESIGN_EFFECT)
    failed = function.offered - function.succeeded
    return share_bounds(failed / effect, function.offered / effect, error_rate)


def _is_clear(check: Check, shares: Mapping[str, Bounds], rules: OverloadConfig) -> bool:
    """Tell whether a rule is decided to hold."""
    if check.fired:
        return False
    if check.name == MEAN_SUCCESS:
        return fmean(share.high for share in shares.values()) <= 1 - (rules.success_rate_node_min or 0.0)
    if check.name.startswith(SUCCESS_OF) and check.function:
        return shares[check.function].high <= 1 - (rules.limits_of(check.function).success_rate_min or 0.0)
    return check.margin >= check.clear_margin


def _decides_overload(
    checks: Sequence[Check],
    functions: Sequence[FunctionMeasurement],
    shares: Mapping[str, Bounds],
    rules: OverloadConfig,
    duration_s: float,
) -> bool:
    names = {latency.removesuffix("_ms") for latency in LATENCIES}
    fired = [check for check in checks if check.fired and check.name.partition(" ")[0] not in names]
    return any(_is_broken(check, shares, rules) for check in fired) or any(
        _is_too_slow(function, rules, duration_s) for function in functions
    )


def _is_broken(check: Check, shares: Mapping[str, Bounds], rules: OverloadConfig) -> bool:
    """Tell whether a rule that fired, on other values than latencies, will have fired at the end of the run, too."""
    if check.name == MEAN_SUCCESS:
        return fmean(share.low for share in shares.values()) > 1 - (rules.success_rate_node_min or 0.0)
    if check.function and check.name.startswith(SUCCESS_OF):
        return shares[check.function].low > 1 - (rules.limits_of(check.function).success_rate_min or 0.0)
    return check.function is not None or check.margin <= -CLEARLY_OVER  # a backlog or replicas; CPU or RAM


def _is_too_slow(function: FunctionMeasurement, rules: OverloadConfig, duration_s: float) -> bool:
    """Tell whether a latency is above its limit even if all other requests of the run are answered at once."""
    most = planned(function.rate_rps, duration_s)
    for name, limit_ms in _latency_rules(function, rules):
        if name in _SHARE_BELOW:
            slower = [1 - share for key, share in _SHARE_BELOW.items() if (getattr(function, key) or 0.0) > limit_ms]
            is_above = max(slower, default=0.0) * function.succeeded > (1 - _SHARE_BELOW[name]) * most
        else:
            is_above = (function.mean_ms or 0.0) * function.succeeded > limit_ms * most
        if is_above:
            return True
    return False


def _is_fast(function: FunctionMeasurement, rules: OverloadConfig, error_rate: float) -> bool:
    """Tell whether the latencies of a function are decided to stay below their limits."""
    n = function.succeeded / LEAST_DESIGN_EFFECT
    for name, limit_ms in _latency_rules(function, rules):
        highest_ms = limit_ms - allowed_ms(function)
        if name in _SHARE_BELOW:
            below = [share for key, share in _SHARE_BELOW.items() if _is_at_most(getattr(function, key), highest_ms)]
            slower = 1 - max(below, default=0.0)
            is_fast = share_bounds(slower * n, n, error_rate).high <= 1 - _SHARE_BELOW[name]
        else:
            is_fast = _is_at_most(function.mean_ms, highest_ms)
        if not is_fast:
            return False
    return True


def _is_at_most(value_ms: float | None, limit_ms: float) -> bool:
    return value_ms is not None and value_ms <= limit_ms


def _latency_rules(function: FunctionMeasurement, rules: OverloadConfig) -> Iterator[tuple[str, float]]:
    """Yield the latencies of a function that are limited, and their limits in ms."""
    for name, limit_ms in zip(LATENCIES, rules.limits_of(function.name).latencies_ms, strict=True):
        if limit_ms is not None:
            yield name, limit_ms
