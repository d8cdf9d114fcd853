"""Detecting that the clock was set or that the machine slept.

Durations are measured with ``time.monotonic``, which neither changes. But k6, Prometheus and the memory share the wall
clock: a run during which the wall clock jumped cannot be measured, because its metrics belong to another time.
"""

import time
from dataclasses import dataclass
from typing import Self

_ALL_TIME = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""The clock that also counts while the machine sleeps: CLOCK_MONOTONIC on macOS, which has no CLOCK_BOOTTIME."""

_MAX_READING_S = 0.01
_MAX_TRIES = 10
"""The clocks are read one after the other. If that takes longer, because the machine is busy, they are read again."""

_TOLERANCE_S = 0.2
"""Far above the uncertainty of a reading. A time service corrects about half a second or less by slewing the clock,
which moves the monotonic clock, too, and sets the clock for larger differences."""


def elapsed_s() -> float:
    """Return the seconds since some moment, also those of sleep. Setting the wall clock does not change them."""
    return time.monotonic() if _ALL_TIME is None else time.clock_gettime(_ALL_TIME)


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on three clocks, in seconds: ``wall_s`` since the epoch, ``all_s`` with sleep, ``awake_s`` without."""

    wall_s: float
    all_s: float
    awake_s: float

    @classmethod
    def now(cls) -> Self:
        """Read the clocks, several times if a reading takes too long; the shortest reading is used."""
        shortest_s, moment = cls._read()
        for _ in range(_MAX_TRIES - 1):
            if shortest_s <= _MAX_READING_S:
                break
            shortest_s, moment = min((shortest_s, moment), cls._read(), key=lambda read: read[0])
        return moment

    @classmethod
    def _read(cls) -> tuple[float, Self]:
        """Return how long the reading took, and the clocks."""
        awake_s = time.monotonic()
        all_s = elapsed_s()
        wall_s = time.time()
        return time.monotonic() - awake_s, cls(wall_s, all_s, awake_s)

    def jump_until(self, later: "Moment") -> str | None:
        """Return one line if the machine slept or the clock was set between this moment and a later one; else None."""
        all_s = later.all_s - self.all_s
        slept_s = all_s - (later.awake_s - self.awake_s)
        if slept_s > _TOLERANCE_S:
            return f"the machine slept for {slept_s:.1f} s during the run"
        set_by_s = later.wall_s - self.wall_s - all_s
        if abs(set_by_s) > _TOLERANCE_S:
            return f"the clock was set by {set_by_s:+.1f} s during the run"
        return None
