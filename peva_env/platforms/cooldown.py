"""Cooldown before each run: wait until the node's resource use is near its idle baseline again."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from peva_env.config import CooldownConfig
from peva_env.errors import MetricsError
from peva_env.platforms.base import NodeUsage, Platform, Usage
from peva_env.platforms.probes import IdleLatencies, ProbedPlatform
from peva_env.system import urgent_pct

_FLOOR_PCT = 5.0
"""Percentage points above the idle use that always count as idle: a share of a very low idle use would be noise."""

_QUIET_PCT = 25.0
"""CPU use of other programs, percent of the machine, up to which they hardly take a core from a function. Measured: one
program on two cores (50 %) made a function at nine tenths of its capacity queue up."""

_QUIET_WINDOW_S = 0.5

_RISING_WEIGHT = 0.2
"""Weight of an idle measurement above the rolling baseline."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The end of a cooldown: seconds waited, the last measured use, and why the node is not idle, or None."""

    waited_s: float
    idle: Usage
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Baseline:
    """The idle use of the node, and the replicas of each of its functions when idle."""

    node: Usage
    replicas: Mapping[str, int] = field(default_factory=dict)

    def follow(self, idle: NodeUsage) -> "_Baseline":
        """Return the baseline after an idle measurement: a lower value replaces it, a higher one raises it a little."""
        node = Usage(
            cpu_pct=_moved(self.node.cpu_pct, idle.node.cpu_pct), ram_pct=_moved(self.node.ram_pct, idle.node.ram_pct)
        )
        return _Baseline(node, {**self.replicas, **_replicas(idle)})


class Cooldown:
    """Waits ``rest_seconds``, or longer for a queue, then until a node is back near a rolling idle baseline.

    A node is idle if ``use <= max(idle * (1 + threshold), idle + 5 points)`` and no function has more replicas than
    when it was idle. The first measurement sets the baseline. A lower measurement replaces the baseline at once, in
    case the node was still busy at the first measurement. A higher measurement that counts as idle raises the baseline
    a little, so that slow drift, such as a growing heap, does not count as load.

    Where nothing measures the node (``ProbedPlatform``), it is idle if a single call of each function takes hardly
    longer than the fastest one before.
    """

    def __init__(
        self,
        platform: Platform,
        config: CooldownConfig,
        *,
        sleep: Callable[[float], None] = time.sleep,
        others_pct: Callable[[float], float] = urgent_pct,
    ) -> None:
        self._platform = platform
        self._config = config
        self._sleep = sleep
        self._others_pct = others_pct
        self._is_crowded = False
        self._queue_s = 0.0
        self._baseline: _Baseline | None = None
        self._latencies = IdleLatencies()

    def expect_crowd(self) -> None:
        """Let the next wait be also for other programs on this machine, which have just spoilt a run."""
        self._is_crowded = True

    def expect_queue(self, seconds: float) -> None:
        """Let the next wait last so long at least: the node may still serve requests, which its use need not show."""
        self._queue_s = seconds

    def wait(self) -> Rest:
        """Return when the node is idle, or after ``max_wait_seconds`` and one last measurement.

        After ``expect_crowd`` it first waits until other programs leave the cores alone, for as long at most; then the
        run shows whether they still do harm.

        A node that cannot be measured is measured again, like a busy node; a node with a failure ends the wait.
        """
        began = time.monotonic()
        rest_s = max(self._config.rest_seconds, min(self._queue_s, self._config.max_wait_seconds))
        self._queue_s = 0.0
        if rest_s:
            self._sleep(rest_s)
        if self._is_crowded:
            self._is_crowded = False
            self._await_cores(began)
        looks_began = time.monotonic()
        while True:
            idle, problem = self._measure()
            now = time.monotonic()
            waited_s = now - began
            if problem is None:
                return Rest(waited_s, idle)
            failure = self._platform.failure()
            left_s = self._config.max_wait_seconds - (now - looks_began)
            if failure or left_s <= 0:
                return Rest(waited_s, idle, failure or f"not at rest after {waited_s:.0f} s of cooldown: {problem}")
            self._sleep(min(left_s, self._config.sleep_step_seconds))

    def _await_cores(self, began: float) -> None:
        while self._others_pct(_QUIET_WINDOW_S) > _QUIET_PCT:
            left_s = self._config.max_wait_seconds - (time.monotonic() - began)
            if left_s <= 0:
                return
            self._sleep(min(left_s, self._config.sleep_step_seconds))

    def _measure(self) -> tuple[Usage, str | None]:
        """Return the node's present use, and the reason why it does not count as idle, or None."""
        latencies_ms = self._platform.latencies_ms() if isinstance(self._platform, ProbedPlatform) else None
        if latencies_ms is not None:
            return Usage(), self._latencies.problem(latencies_ms)
        now = time.time()
        try:
            idle = self._platform.usage(now, now + self._platform.min_window_s)
        except MetricsError as error:
            return Usage(), str(error)
        baseline = self._baseline or _Baseline(idle.node, _replicas(idle))
        problem = next(self._problems(idle, baseline), None)
        if problem is None:
            self._baseline = baseline.follow(idle)
        return idle.node, problem

    def _problems(self, now: NodeUsage, baseline: _Baseline) -> Iterator[str]:
        for resource, value, idle in (
            ("CPU", now.node.cpu_pct, baseline.node.cpu_pct),
            ("RAM", now.node.ram_pct, baseline.node.ram_pct),
        ):
            if value is None or idle is None:
                yield "; ".join((f"{resource} of the node was not measured", *now.missing))
                continue
            limit = max(idle * (1 + self._config.idle_threshold_pct / 100), idle + _FLOOR_PCT)
            if value > limit:
                yield f"{resource} {value:.1f} % > {limit:.1f} %, idle is {idle:.1f} %"
        for name, replicas in _replicas(now).items():
            if replicas > baseline.replicas.get(name, replicas):
                yield f"{name} has {replicas} replicas, idle are {baseline.replicas[name]}"


def _replicas(usage: NodeUsage) -> dict[str, int]:
    # A function that was scaled to zero while others were measured has one again as soon as it is called.
    return {name: max(1, used.replicas) for name, used in usage.functions.items() if used.replicas is not None}


def _moved(old: float | None, new: float | None) -> float | None:
    return None if old is None or new is None else min(new, old + _RISING_WEIGHT * (new - old))
