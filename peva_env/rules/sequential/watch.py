"""Watching a run: at a few moments, whether its verdict is decided.

The moments are fixed beforehand and grow by a constant factor, so that there are few. The bounds of shares hold at all
moments at once. Those of the growth of latencies hold at one moment. There are at most ten at which they are asked
for, each with the nominal error rate of a group-sequential test of ten looks (Pocock, "Group sequential methods in the
design and analysis of clinical trials", Biometrika 64, 1977).

A run is ended as OVERLOADED if a rule is decided to be broken, and also by the requests of the second half of the run
so far alone: a function that fails only at first (a cold start) is not overloaded. Or if the latency of a function
grows: by more than ``LEAST_GROWTH`` at the lower bound of its growth.

A run is ended as OK if all of the following hold:

- at least a quarter of it, and ``_LEAST_OK_S``, is over: nothing is extrapolated to more than four times its length;
- every rule is decided to hold, in each half of the run so far for CPU, RAM and replicas; a request that is missing, in
  that it is under way for longer than others were, counts as failed;
- no latency grows: the upper bound of the growth is half of ``LEAST_GROWTH``, and until the end of the run it adds no
  more than ``allowed_ms``;
- no replica was added, and the RAM stays below its limit if it goes on to grow as from the first half to the second.

So a function above its capacity is ended as OK only if its latency stands still while its queue grows, or if it begins
to fail later than that. Nothing is decided after the generator stood still.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.judge import Judgement
from peva_env.rules.sequential.bounds import Bounds, backlog_of, design_effect, growth_bounds
from peva_env.rules.sequential.part import ERROR_RATE, allowed_ms, judge_part

LEAST_GROWTH = 0.03
"""Smallest growth, in seconds of latency per second of the run, that counts as a backlog: 3 % over capacity."""

_STEADY_FROM_S = 1.0
"""What is measured before this moment says nothing of growth: connections are opened, caches filled."""

_FIRST_LOOK_S = 3.0
_LOOKS_GROW_BY = 1.15
_LAST_LOOK = 0.9
"""Moment of the last look, as a share of the run: later, there is nothing left to save."""

_GROWTH_ERROR = 0.0018
"""Error rate of the growth at each of ten looks, for an error rate of 0.01 in all: Jennison and Turnbull, "Group
Sequential Methods", 2000, table 2.1 (a critical value of 3.117)."""

_LEAST_OK_S = 6.0
_LEAST_OK_SHARE = 0.25
_LEAST_IN_POINT = 5
"""Successful requests whose latencies are averaged to a point of the growth."""

_LAG_S = 0.1
"""How old the counts of the generator may be."""


class Reading(NamedTuple):
    """What the generator had counted ``ran_s`` seconds after the start of the counted load.

    ``functions`` hold the requests that had ended; their 99th percentile may be an upper bound. ``generator_cpu_pct``
    is the generator's own CPU use, in percent of all cores. ``is_even`` is false
    if the generator stood still for so long that latencies may be due to that.
    """

    ran_s: float
    functions: tuple[FunctionMeasurement, ...]
    is_even: bool = True
    generator_cpu_pct: float = 0.0


class Part(NamedTuple):
    """A part of a run: its functions with replicas and what other programs crowded out, and the use of the node."""

    functions: Sequence[FunctionMeasurement]
    node: NodeMeasurement


class Ending(NamedTuple):
    """Why a run is ended; ``growth`` is that of the latency of each function whose queue grew, in s per s, by name."""

    verdict: Verdict
    growth: dict[str, float]


class Watch:
    """Decides at each look whether a run has a verdict.

    Args:
        rules: the overload rules.
        duration_s: the planned length of the run.
        timeout_s: the timeout of a request.
        part: gives the functions their replicas and what other programs crowded out, and measures the node, from one
            second of the counted load to another.
    """

    def __init__(
        self,
        rules: OverloadConfig,
        *,
        duration_s: float,
        timeout_s: float,
        part: Callable[[Sequence[FunctionMeasurement], float, float], Part],
    ) -> None:
        self._rules = rules
        self._duration_s = duration_s
        self._timeout_ms = 1000 * timeout_s
        self._part = part
        self._looks = look_times(duration_s)
        self._least_ok_s = max(_LEAST_OK_S, _LEAST_OK_SHARE * duration_s)
        self._error_rate = ERROR_RATE / 2
        self._readings: list[Reading] = []

    def add(self, reading: Reading) -> Ending | None:
        """Take the next reading, and return how the run is to be ended; None if it is to go on."""
        self._readings.append(reading)
        if not self._looks or reading.ran_s < self._looks[0]:
            return None
        self._looks = [at_s for at_s in self._looks if at_s > reading.ran_s]
        return self._look(reading) if reading.is_even else None

    def _look(self, last: Reading) -> Ending | None:
        without_use = self._rules.without_use()
        if self._is_overloaded(Part(last.functions, NodeMeasurement()), last.ran_s, without_use):
            # Only now is the node asked: other programs may explain it.
            part = self._part(last.functions, _STEADY_FROM_S, last.ran_s)
            if self._is_overloaded(part, last.ran_s, without_use):
                return Ending(Verdict.OVERLOADED, {})
        if last.ran_s < self._least_ok_s:
            return None
        bounds = [self._growth(f) for f in range(len(last.functions))]
        growing = {
            function.name: growth.low
            for function, growth in zip(last.functions, bounds, strict=True)
            if growth.low > LEAST_GROWTH and self._rules.limits_of(function.name).backlog
        }
        if growing and self._has_backlog(growing, last):
            return Ending(Verdict.OVERLOADED, growing)
        is_calm = all(
            self._is_calm(function, growth, last.ran_s)
            for function, growth in zip(last.functions, bounds, strict=True)
            if function.rate_rps
        )
        if not is_calm and self._rules == without_use:
            return None
        middle_s = (_STEADY_FROM_S + last.ran_s) / 2
        first = self._part(last.functions, _STEADY_FROM_S, middle_s)
        second = self._part(last.functions, middle_s, last.ran_s)
        if all(self._is_overloaded(part, last.ran_s, self._rules) for part in (first, second)):
            return Ending(Verdict.OVERLOADED, {})
        if not is_calm or not self._lasts(first, second, middle_s, last.ran_s):
            return None
        is_ok = all(self._is_ok(part, last.ran_s) for part in (first, second))
        return Ending(Verdict.OK, {}) if is_ok else None

    def _has_backlog(self, growing: dict[str, float], last: Reading) -> bool:
        """Tell whether growing queues are overload, or other programs may explain them."""
        part = self._part(last.functions, _STEADY_FROM_S, last.ran_s)
        functions = [
            replace(function, backlog=backlog_of(growing.get(function.name, 0.0), function.offered))
            for function in part.functions
        ]
        return self._judged(functions, NodeMeasurement(), self._rules.without_use()) is Verdict.OVERLOADED

    def _is_overloaded(self, part: Part, ran_s: float, rules: OverloadConfig) -> bool:
        """Tell whether a part of a run decides overload, also by the requests of its second half alone."""
        earlier = [reading for reading in self._readings if reading.ran_s <= ran_s / 2]
        before = earlier[-1] if earlier else self._readings[0]
        recent = tuple(map(_since, before.functions, part.functions))
        return all(
            self._judged(functions, part.node, rules) is Verdict.OVERLOADED for functions in (part.functions, recent)
        )

    def _is_ok(self, part: Part, ran_s: float) -> bool:
        functions = [_with_missing(function, ran_s) for function in part.functions]
        return self._judged(functions, part.node, self._rules) is Verdict.OK

    def _judged(
        self, functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig
    ) -> Verdict | None:
        found: Judgement | None = judge_part(
            functions,
            node,
            rules,
            duration_s=self._duration_s,
            error_rate=self._error_rate,
            design_effects={function.name: self._design_effect(f) for f, function in enumerate(functions)},
        )
        return found.verdict if found else None

    def _design_effect(self, f: int) -> float:
        counts = [(one.functions[f].offered, one.functions[f].succeeded) for one in self._readings]
        offered = np.diff([n for n, _ in counts], prepend=0)
        failed = np.diff([n - succeeded for n, succeeded in counts], prepend=0)
        return design_effect(failed.tolist(), offered.tolist())

    def _growth(self, f: int) -> Bounds:
        """Return the bounds of the growth of the latency of one function."""
        x, y = self._latencies(f)
        return growth_bounds(x, y, _GROWTH_ERROR)

    def _latencies(self, f: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return moments and mean latencies between them, both in s."""
        x, y = [], []
        start_s, n, total_ms = 0.0, 0, 0.0
        for reading in self._readings:
            function = reading.functions[f]
            now_ms = (function.mean_ms or 0.0) * function.succeeded
            if reading.ran_s < _STEADY_FROM_S:
                start_s, n, total_ms = reading.ran_s, function.succeeded, now_ms
            elif function.succeeded - n >= _LEAST_IN_POINT:
                x.append((start_s + reading.ran_s) / 2)
                y.append((now_ms - total_ms) / (function.succeeded - n) / 1000)
                start_s, n, total_ms = reading.ran_s, function.succeeded, now_ms
        return np.array(x), np.array(y)

    def _is_calm(self, function: FunctionMeasurement, growth: Bounds, ran_s: float) -> bool:
        """Tell whether the latency of a function does not grow, and is far from the timeout."""
        if function.mean_ms is None or growth.high > LEAST_GROWTH / 2:
            return False
        # The line is known best in the middle of the run so far.
        more_ms = 1000 * max(0.0, growth.high) * (self._duration_s - ran_s / 2)
        return more_ms <= allowed_ms(function) and function.mean_ms + allowed_ms(function) <= self._timeout_ms / 2

    def _lasts(self, first: Part, second: Part, middle_s: float, ran_s: float) -> bool:
        """Tell whether replicas and RAM stay as they are, or RAM at least below its limit."""
        replicas = [[function.replicas for function in part.functions] for part in (first, second)]
        if replicas[0] != replicas[1]:
            return False
        limit_pct, before, after = self._rules.ram_overload_pct, first.node.ram_pct, second.node.ram_pct
        if limit_pct is None or before is None or after is None:
            return limit_pct is None
        more_pct = max(0.0, after - before) * (self._duration_s - middle_s) / (ran_s - middle_s)
        return after + more_pct <= limit_pct


def look_times(duration_s: float) -> list[float]:
    """Return the moments at which a run of ``duration_s`` is looked at, in seconds."""
    n = math.floor(math.log(max(1.0, _LAST_LOOK * duration_s / _FIRST_LOOK_S), _LOOKS_GROW_BY)) + 1
    times = (_FIRST_LOOK_S * _LOOKS_GROW_BY**i for i in range(n))
    return [at_s for at_s in times if at_s <= _LAST_LOOK * duration_s]


def _since(before: FunctionMeasurement, now: FunctionMeasurement) -> FunctionMeasurement:
    """Return a function with the requests that ended after an earlier reading; latencies are of all."""
    offered, succeeded = now.offered - before.offered, now.succeeded - before.succeeded
    return replace(
        now,
        offered=offered,
        sent=now.sent - before.sent,
        dropped=now.dropped - before.dropped,
        succeeded=succeeded,
        failed={kind: more for kind, n in now.failed.items() if (more := n - before.failed.get(kind, 0)) > 0},
        success_rate=succeeded / offered if offered else 1.0,
        held_up=now.held_up - before.held_up,
        crowded_out=round(now.crowded_out * offered / now.offered) if now.offered else 0,
    )


def _with_missing(function: FunctionMeasurement, ran_s: float) -> FunctionMeasurement:
    """Return a function with the requests as failed that are under way for longer than those that have ended."""
    due = function.rate_rps * (ran_s - _LAG_S - (function.mean_ms or 0.0) / 1000)
    missing = max(0, math.floor(due) - function.offered)
    if not missing:
        return function
    offered = function.offered + missing
    failed = {**function.failed, "timeout": function.failed.get("timeout", 0) + missing}
    return replace(
        function,
        offered=offered,
        sent=function.sent + missing,
        failed=failed,
        success_rate=function.succeeded / offered,
    )
