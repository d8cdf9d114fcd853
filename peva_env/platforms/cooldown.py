"""Rest before each run: the node's use must be back near what it is when idle."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from peva_env.config import CooldownConfig
from peva_env.platforms.base import Platform, Usage

_WINDOW_S = 0.2
"""Span of one look at the node: twenty ticks of the kernel's CPU clock."""

_FLOOR_PCT = 5.0
"""Percentage points of capacity above the idle use that always count as rest: a share of nearly nothing is noise."""

_ROLLING_WEIGHT = 0.2
"""Weight of a new idle look in the rolling baseline."""


@dataclass(frozen=True, slots=True)
class Rest:
    """How a cooldown ended: seconds waited, the node's idle use, and why it is not at rest, if it is not."""

    waited_s: float
    idle: Usage
    problem: str | None = None


class Cooldown:
    """Waits until CPU and RAM of a node are within a threshold of a rolling idle baseline.

    At rest means ``use <= max(idle * (1 + threshold), idle + 5 points)``. The first look sets the baseline; every later
    one at rest moves it a little, so that slow drift (a heap that grows) is not taken for load.
    """

    def __init__(
        self, platform: Platform, config: CooldownConfig, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._platform = platform
        self._config = config
        self._sleep = sleep
        self._baseline: Usage | None = None

    def wait(self) -> Rest:
        """Return when the node is at rest, or when ``max_wait_seconds`` are over."""
        began_at = time.time()
        looked_at = began_at
        while True:
            idle = self._platform.usage(looked_at, looked_at + _WINDOW_S).node
            problem = self._problem(idle)
            waited_s = time.time() - began_at
            if problem is None:
                self._baseline = idle if self._baseline is None else _blend(self._baseline, idle)
                return Rest(waited_s, idle)
            if waited_s + self._config.sleep_step_seconds > self._config.max_wait_seconds:
                return Rest(waited_s, idle, f"not at rest after {waited_s:.0f} s of cooldown: {problem}")
            self._sleep(self._config.sleep_step_seconds)
            looked_at = time.time()

    def _problem(self, now: Usage) -> str | None:
        if self._baseline is None:
            return None
        for what, value, idle in (
            ("CPU", now.cpu_pct, self._baseline.cpu_pct),
            ("RAM", now.ram_pct, self._baseline.ram_pct),
        ):
            if value is None or idle is None:
                return f"{what} not measured"
            limit = max(idle * (1 + self._config.idle_threshold_pct / 100), idle + _FLOOR_PCT)
            if value > limit:
                return f"{what} {value:.1f} % > {limit:.1f} %"
        return None


def _blend(old: Usage, new: Usage) -> Usage:
    def mean(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a + _ROLLING_WEIGHT * (b - a)

    return Usage(cpu_pct=mean(old.cpu_pct, new.cpu_pct), ram_pct=mean(old.ram_pct, new.ram_pct))
