"""Rest before each run: the node's use must be back near what it is when idle."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from peva_env.config import CooldownConfig
from peva_env.platforms.base import Platform, Usage

_WINDOW_S = 0.2
"""Span of one look at a node on this machine: twenty ticks of the kernel's CPU clock."""

_FLOOR_PCT = 5.0
"""Percentage points of capacity above the idle use that always count as rest: a share of nearly nothing is noise."""

_RISING_WEIGHT = 0.2
"""Weight of an idle look above the rolling baseline."""


@dataclass(frozen=True, slots=True)
class Rest:
    """How a cooldown ended: seconds waited, the node's idle use, and why it is not at rest, if it is not."""

    waited_s: float
    idle: Usage
    problem: str | None = None


class Cooldown:
    """Waits until CPU and RAM of a node are within a threshold of a rolling idle baseline.

    At rest means ``use <= max(idle * (1 + threshold), idle + 5 points)``. The first look sets the baseline. A later one
    below it lowers it at once, so that a node that was still busy at first is found out; one above it that counts as
    rest raises it a little, so that slow drift (a heap that grows) is not taken for load.
    """

    def __init__(
        self,
        platform: Platform,
        config: CooldownConfig,
        *,
        window_s: float = _WINDOW_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._platform = platform
        self._window_s = window_s
        self._config = config
        self._sleep = sleep
        self._baseline: Usage | None = None

    def wait(self) -> Rest:
        """Return when the node is at rest, or after ``max_wait_seconds`` and one last look."""
        began_at = looked_at = time.time()
        while True:
            idle = self._platform.usage(looked_at, looked_at + self._window_s).node
            problem = self._problem(idle)
            waited_s = time.time() - began_at
            if problem is None:
                self._baseline = _follow(self._baseline or idle, idle)
                return Rest(waited_s, idle)
            left_s = self._config.max_wait_seconds - waited_s
            if left_s <= 0:
                return Rest(waited_s, idle, f"not at rest after {waited_s:.0f} s of cooldown: {problem}")
            self._sleep(min(left_s, self._config.sleep_step_seconds))
            looked_at = time.time()

    def _problem(self, now: Usage) -> str | None:
        baseline = self._baseline or now
        for what, value, idle in (
            ("CPU", now.cpu_pct, baseline.cpu_pct),
            ("RAM", now.ram_pct, baseline.ram_pct),
        ):
            if value is None or idle is None:
                return f"{what} of the node was not measured"
            limit = max(idle * (1 + self._config.idle_threshold_pct / 100), idle + _FLOOR_PCT)
            if value > limit:
                return f"{what} {value:.1f} % > {limit:.1f} %, idle is {idle:.1f} %"
        return None


def _follow(baseline: Usage, idle: Usage) -> Usage:
    def moved(old: float | None, new: float | None) -> float | None:
        return None if old is None or new is None else min(new, old + _RISING_WEIGHT * (new - old))

    return Usage(cpu_pct=moved(baseline.cpu_pct, idle.cpu_pct), ram_pct=moved(baseline.ram_pct, idle.ram_pct))
