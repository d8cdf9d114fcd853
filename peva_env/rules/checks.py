"""The overload rules: each compares a measured value with its limit.

A function is overloaded if its success rate over *offered* load is below its minimum, or its replicas reach the
threshold. The node is overloaded if the mean success of the configuration's functions is below its minimum, its CPU or
RAM is above its limit, or any function is overloaded. These are the rules of PEVA-FAAS, with CPU and RAM as percent of
capacity. Beside them a function is overloaded if a latency of its successful requests is above a limit; without a
successful request it is above each. And it is overloaded if its queue grew during the run (a backlog): it would fail in
a longer run. A rule is off where its limit is None, that on the backlog where it is false.

A function at rate 0 has success 1 and counts in the mean, like a function at a very low rate.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from peva_env.config import LATENCIES, OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement
from peva_env.rules.other_causes import counts_text

_CLEAR_OF_SUCCESS = 0.9
"""Clear margin of a success rate, as a share of the interval from its minimum to 1. It cannot be a share of the
minimum: with a minimum of 0.95, the largest possible margin is 0.053 of it."""

_CLEAR_OF_LIMIT = 0.1
"""Clear margin of any other value, as a share of its threshold."""

SUCCESS_OF = "success of "
"""Start of the name of a check of a function's success rate."""

MEAN_SUCCESS = "mean success"
"""Name of the check of the mean success rate."""

COUNTS = " ("
"""Start of the counts at the end of a reason. Earlier versions of peva-env wrote reasons without counts."""

NOT_MEASURED = " not measured"
"""End of the reason of a run that lacks a value that a rule is about."""

NO_LATENCY_MARGIN = -1.0
"""Margin of a latency rule on a function without a successful request: the rule is broken, by an unknown amount."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule applied to one value: ``margin`` is the distance to the limit as a share of it, negative if it fired.

    A value is clear of the limit if its margin is at least ``clear_margin``.
    """

    name: str
    text: str
    margin: float
    fired: bool
    function: str | None = None
    clear_margin: float = _CLEAR_OF_LIMIT


def rule_checks(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig) -> list[Check]:
    """Return every rule applied to the measured values; those on values that were not measured are left out."""
    checks = list(_function_checks(functions, rules))
    counted = any(check.fired and check.name.startswith(SUCCESS_OF) for check in checks)
    return checks + list(_node_checks(functions, node, rules, failures="" if counted else _failures(functions)))


def not_measured(
    functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig
) -> Iterator[str]:
    """Yield a message for each value that a rule is about and that was not measured."""
    for name, value, limit_pct in _uses(node, rules):
        if limit_pct is not None and (value is None or not math.isfinite(value)):
            yield f"{name} of the node{NOT_MEASURED}"
    for function in functions:
        for name, value_ms, _ in _latencies(function, rules):
            if function.succeeded and (value_ms is None or not math.isfinite(value_ms)):
                yield f"{name}{NOT_MEASURED}"


def _uses(node: NodeMeasurement, rules: OverloadConfig) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield the node's use of CPU and RAM in percent: name, value, limit; None where not measured or not limited."""
    yield "CPU", node.cpu_pct, rules.cpu_overload_pct_of_capacity
    yield "RAM", node.ram_pct, rules.ram_overload_pct


def _latencies(function: FunctionMeasurement, rules: OverloadConfig) -> Iterator[tuple[str, float | None, float]]:
    """Yield what a function with requests has a latency rule on: name, value and limit in ms."""
    if function.offered:
        for latency, limit_ms in zip(LATENCIES, rules.limits_of(function.name).latencies_ms, strict=True):
            if limit_ms is not None:
                yield f"{latency.removesuffix('_ms')} latency of {function.name}", getattr(function, latency), limit_ms


def _function_checks(functions: Sequence[FunctionMeasurement], rules: OverloadConfig) -> Iterator[Check]:
    for function in functions:
        limits = rules.limits_of(function.name)
        if limits.success_rate_min is not None:
            success = f"{SUCCESS_OF}{function.name}"
            failures = _failures([function])
            yield _at_least(success, function.success_rate, limits.success_rate_min, failures, function.name)
        if function.replicas is not None and limits.replicas is not None:
            name = f"replicas of {function.name}"
            text = f"{name} {function.replicas} >= {limits.replicas}"
            margin = (limits.replicas - function.replicas) / limits.replicas
            yield Check(name, text, margin, function.replicas >= limits.replicas, function.name)
        if function.backlog and limits.backlog:
            yield _backlog_check(function)
        yield from _latency_checks(function, rules)


def _backlog_check(function: FunctionMeasurement) -> Check:
    excess = function.backlog / function.offered
    served_rps = function.rate_rps * (1 - excess)
    text = f"backlog of {function.name}: it served {served_rps:.1f} of {function.rate_rps} rps, the rest queued up"
    return Check(f"backlog of {function.name}", text, -excess, True, function.name)


def _latency_checks(function: FunctionMeasurement, rules: OverloadConfig) -> Iterator[Check]:
    for name, value_ms, limit_ms in _latencies(function, rules):
        if not function.succeeded:
            yield Check(name, f"{name}: no request succeeded", NO_LATENCY_MARGIN, True, function.name)
        elif value_ms is not None:
            yield _at_most(name, value_ms, limit_ms, "ms", function.name)


def _node_checks(
    functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig, failures: str
) -> Iterator[Check]:
    if rules.success_rate_node_min is not None:
        # Not by sum(), which since Python 3.12 makes good what rounding loses: ``peva_env.rules.arrays`` adds plainly.
        mean_success = reduce(add, (function.success_rate for function in functions)) / len(functions)
        yield _at_least(MEAN_SUCCESS, mean_success, rules.success_rate_node_min, failures)
    for name, value, limit_pct in _uses(node, rules):
        if value is not None and limit_pct is not None:
            yield _at_most(f"node {name}", value, limit_pct, "%")


def _failures(functions: Sequence[FunctionMeasurement]) -> str:
    """Return the failed requests of functions by kind, such as " (85 of 201: 404, 3: dropped)"; empty without one."""
    counts: Counter[str] = Counter()
    for function in functions:
        counts.update(function.failed)
        counts["dropped"] += function.dropped
    lost = counts_text(sum(function.offered for function in functions), counts)
    return f"{COUNTS}{lost})" if lost else ""


def _at_least(what: str, value: float, limit: float, failures: str, function: str | None = None) -> Check:
    scale = limit or 1
    clear_margin = _CLEAR_OF_SUCCESS * (1 - limit) / scale
    text = f"{what} {value:.3f} < {limit:g}{failures}"
    return Check(what, text, (value - limit) / scale, value < limit, function, clear_margin)


def _at_most(what: str, value: float, limit: float, unit: str, function: str | None = None) -> Check:
    text = f"{what} {value:.1f} {unit} > {limit:g} {unit}"
    return Check(what, text, (limit - value) / (limit or 1), value > limit, function)
