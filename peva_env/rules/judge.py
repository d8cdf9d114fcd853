"""The overload rules: from the measurements of a run to its verdict.

A function is overloaded if its success rate over *offered* load is below its minimum, or its replicas reach the
threshold. The node is overloaded if the mean success of the configuration's functions is below its minimum, its CPU or
RAM is above its limit, or any function is overloaded. These are the rules of PEVA-FAAS, with CPU and RAM as percent of
capacity. Beside them a function is overloaded if a latency of its successful requests is above a limit; without a
successful request it is above each. And it is overloaded if its queue grew during the run (a backlog): it would fail in
a longer run. A rule is off where its limit is None, that on the backlog where it is false.

A function at rate 0 has success 1 and counts in the mean, like a function at a very low rate.

What was not measured is never taken for healthy: without a value that a rule is about, a run is INVALID. So is a run in
which most requests to a function found nobody at its address: a mistake of the configuration, or a function that is
gone. So is overload that fewer such requests explain: a gateway, a provider or a function was restarted during the run.
So is overload that a stall of the load generator or other programs on the machine explain, or with requests that the
generator could not send for limits of its machine: see ``peva_env.rules.other_causes``.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add

from peva_env.config import LATENCIES, OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.other_causes import IN_DOUBT, NOBODY_THERE, counts_text, crowding, explained, restart, stall, unsent

_CLEAR_OF_SUCCESS = 0.9
"""Clear margin of a success rate, as a share of the interval from its minimum to 1. It cannot be a share of the
minimum: with a minimum of 0.95, the largest possible margin is 0.053 of it."""

_CLEAR_OF_LIMIT = 0.1
"""Clear margin of any other value, as a share of its threshold."""

CLEARLY_OVER = 0.2
"""Distance beyond a threshold of the node, as a share of it, from which an overloaded run is certain."""


SUCCESS_OF = "success of "
"""Start of the name of a check of a function's success rate."""

MEAN_SUCCESS = "mean success"
"""Name of the check of the mean success rate."""

COUNTS = " ("
"""Start of the counts at the end of a reason. Earlier versions of peva-env wrote reasons without counts."""

NOT_MEASURED = " not measured"
"""End of the reason of a run that lacks a value that a rule is about."""

_DESPITE = "overloaded even without what this explains: "

NO_LATENCY_MARGIN = -1.0
"""Margin of a latency rule on a function without a successful request: the rule is broken, by an unknown amount."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with every rule that fired, and the signed distance to each threshold.

    ``margins`` has the distance of each rule as a share of its threshold: positive = OK, negative = the rule fired. The
    smallest is the run's ``margin``.

    ``is_certain``: another run would probably have the same verdict. An OK run is certain if every success rate lies in
    the highest tenth between its minimum and 1, and CPU, RAM, replicas and latencies are at least a tenth of their
    thresholds below these thresholds. An overloaded run is certain if mean success, CPU or RAM is beyond its threshold
    by at least a fifth of the threshold. The rules of single functions do not make a run certain: the most frequent
    wrong verdict is a single function that fails in one run only. An overloaded run in which a request found no server
    is not certain. Source: recordings of 15,832 configurations, see
    docs/decisions.md.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    overloaded_functions: tuple[str, ...] = ()
    is_certain: bool = False

    def doubted(self, doubts: Iterable[str]) -> "Judgement":
        """Return this judgement with reasons to doubt it; an overload in doubt is not certain."""
        notes = tuple(f"{IN_DOUBT}{doubt}" for doubt in doubts)
        if not notes or self.verdict is not Verdict.OVERLOADED:
            return self
        return replace(self, reasons=(*self.reasons, *notes), is_certain=False)

    @property
    def margin(self) -> float | None:
        """The smallest signed distance to a threshold; None for an INVALID run, and where every rule is off."""
        return min(self.margins.values(), default=None)

    def given_to(self, event: ExecutionEvent) -> ExecutionEvent:
        """Return the event with this judgement in place of its own."""
        return replace(
            event,
            verdict=self.verdict,
            reasons=self.reasons,
            margin=self.margin,
            overloaded_functions=self.overloaded_functions,
        )


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


def judge(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig) -> Judgement:
    """Apply the overload rules to one run."""
    problems = [*absent(functions), *not_measured(functions, node, rules)]
    if problems:
        return Judgement(Verdict.INVALID, tuple(problems))
    return caused_by_load(functions, lambda measured: apply_rules(measured, node, rules))


def caused_by_load(
    functions: Sequence[FunctionMeasurement], apply: Callable[[Sequence[FunctionMeasurement]], Judgement]
) -> Judgement:
    """Return the judgement of the functions, or INVALID if it is overload for another cause than load.

    Other causes are requests that found no server, with the connections that were cut off in the same run, stalls of
    the generator, other programs on the machine, and requests that the generator could not send. An overload is judged
    as if all failures that the first three explain had been successes. So its margin is an upper bound.

    Args:
        functions: the measured functions.
        apply: applies the rules to functions.
    """
    judgement = apply(functions)
    if judgement.verdict is not Verdict.OVERLOADED:
        return judgement
    problems = tuple(unsent(functions))
    if problems:
        return Judgement(Verdict.INVALID, problems)
    restarts, disturbances = list(restart(functions)), [*stall(functions), *crowding(functions)]
    if not restarts and not disturbances:
        return judgement
    best = apply([explained(function) for function in functions])
    if best.verdict is not Verdict.OVERLOADED:
        return Judgement(Verdict.INVALID, (*restarts, *disturbances))
    notes = tuple(f"{_DESPITE}{cause}" for cause in restarts)
    return replace(best, reasons=(*best.reasons, *notes), is_certain=best.is_certain and not restarts)


def apply_rules(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig) -> Judgement:
    """Apply the rules to the measured values; do not check whether values are missing or addresses wrong."""
    checks = rule_checks(functions, node, rules)
    fired = [check for check in checks if check.fired]
    return Judgement(
        verdict=Verdict.OVERLOADED if fired else Verdict.OK,
        reasons=tuple(check.text for check in fired),
        margins={check.name: check.margin for check in checks},
        overloaded_functions=tuple(dict.fromkeys(check.function for check in fired if check.function)),
        is_certain=_is_certain(checks) and not (fired and any(restart(functions))),
    )


def rule_checks(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig) -> list[Check]:
    """Return every rule applied to the measured values; those on values that were not measured are left out."""
    checks = list(_function_checks(functions, rules))
    counted = any(check.fired and check.name.startswith(SUCCESS_OF) for check in checks)
    return checks + list(_node_checks(functions, node, rules, failures="" if counted else _failures(functions)))


def majority(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the majority verdict of the valid runs: OVERLOADED if more than half are; INVALID without a valid run."""
    valid = [verdict for verdict in verdicts if verdict is not Verdict.INVALID]
    if not valid:
        return Verdict.INVALID
    return Verdict.OVERLOADED if 2 * valid.count(Verdict.OVERLOADED) > len(valid) else Verdict.OK


def is_decided(verdicts: Sequence[Verdict], iterations: int, *, is_certain: bool) -> bool:
    """Tell whether a configuration's verdict is decided, so that its remaining runs can be skipped.

    It is decided if the remaining runs cannot change the majority, or if at least one run is certain and all runs so
    far have the same verdict.

    Args:
        verdicts: the verdicts of the valid runs so far.
        iterations: total number of runs without skipping.
        is_certain: whether one of the valid runs is certain, see ``Judgement``.
    """
    n_overloaded = verdicts.count(Verdict.OVERLOADED)
    n_ok = len(verdicts) - n_overloaded
    if 2 * n_overloaded > iterations or 2 * n_ok >= iterations:
        return True
    return is_certain and 0 in (n_overloaded, n_ok)


def _is_certain(checks: Sequence[Check]) -> bool:
    if any(check.fired for check in checks):
        return any(check.margin <= -CLEARLY_OVER for check in checks if not check.function)
    return all(check.margin >= check.clear_margin for check in checks)


def absent(functions: Sequence[FunctionMeasurement]) -> Iterator[str]:
    """Yield a message for each function at whose address most requests found no server."""
    for function in functions:
        nobody = {kind: function.failed[kind] for kind in NOBODY_THERE if function.failed.get(kind)}
        if 2 * sum(nobody.values()) > function.sent:
            found = ", ".join(f"{count} {kind}" for kind, count in nobody.items())
            yield f"{function.name} was not there for most of {function.sent} requests: {found}"


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
