"""The CPU time that a process had used at several moments, for its use during parts of its life."""

import time
from dataclasses import dataclass

import numpy as np
import psutil

_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class CpuUse:
    """The CPU seconds of a process: in all, and until several moments ``at`` in seconds since the epoch."""

    total_s: float
    at: tuple[float, ...] = ()
    until_then_s: tuple[float, ...] = ()

    def used_s(self, start_at: float, end_at: float) -> float | None:
        """Return the CPU seconds used between two moments in seconds since the epoch; None without a reading."""
        if not self.at:
            return None
        start, end = np.interp([start_at, end_at], self.at, self.until_then_s)
        return float(end - start)


class CpuTrace:
    """Reads the CPU time of a process a few times a second, whenever ``look`` is called."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._at: list[float] = []
        self._cpu_s: list[float] = []

    def look(self) -> None:
        """Read the CPU time, unless it was read just now or the process has ended."""
        now = time.time()
        if self._at and now - self._at[-1] < _INTERVAL_S:
            return
        try:
            used = self._process.cpu_times()
        except psutil.Error:
            return
        self._at.append(now)
        self._cpu_s.append(used.user + used.system)

    def use(self, cpu_s: float) -> CpuUse:
        """Return what was read of a process that used ``cpu_s`` in all."""
        return CpuUse(cpu_s, tuple(self._at), tuple(self._cpu_s))
