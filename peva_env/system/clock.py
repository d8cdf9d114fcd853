"""Time that is not what it seems: a clock that was set, and a machine that slept.

Spans are measured with ``time.monotonic``, which neither moves. What k6, Prometheus and the memory agree on, however,
is the wall clock, so that a run during which it jumped cannot be measured: its figures belong to another moment.
"""

import time
from dataclasses import dataclass
from typing import Self

_ALL_TIME = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""The clock that also counts while the machine sleeps: CLOCK_MONOTONIC on macOS, which has no CLOCK_BOOTTIME."""

_AT_ONE_TIME_S = 0.01
_MAX_TRIES = 10
"""Clocks are read one after the other, and a busy machine may do something else in between: then they are read again,
so many times at most."""

_TOLERANCE_S = 0.2
"""Far more than is left of that. Whoever disciplines a clock slews it below half a second or so, which moves the
monotonic clock as well, and sets it beyond that."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on three clocks, in seconds: ``wall_s`` since the epoch, ``all_s`` with sleep, ``awake_s`` without."""

    wall_s: float
    all_s: float
    awake_s: float

    @classmethod
    def now(cls) -> Self:
        """Read the clocks, again if they were not read at one time; what was read within the shortest time is taken."""
        shortest_s, moment = cls._read()
        for _ in range(_MAX_TRIES - 1):
            if shortest_s <= _AT_ONE_TIME_S:
                break
            shortest_s, moment = min((shortest_s, moment), cls._read(), key=lambda read: read[0])
        return moment

    @classmethod
    def _read(cls) -> tuple[float, Self]:
        """Return how long it took to read the clocks, and what they said."""
        awake_s = time.monotonic()
        all_s = awake_s if _ALL_TIME is None else time.clock_gettime(_ALL_TIME)
        wall_s = time.time()
        return time.monotonic() - awake_s, cls(wall_s, all_s, awake_s)

    def jump_until(self, later: "Moment") -> str | None:
        """Say in one line that the machine slept, or that the clock was set, between this moment and a later one."""
        all_s = later.all_s - self.all_s
        slept_s = all_s - (later.awake_s - self.awake_s)
        if slept_s > _TOLERANCE_S:
            return f"the machine slept for {slept_s:.1f} s during the run"
        set_by_s = later.wall_s - self.wall_s - all_s
        if abs(set_by_s) > _TOLERANCE_S:
            return f"the clock was set by {set_by_s:+.1f} s during the run"
        return None
