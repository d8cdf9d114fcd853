"""The CPU time that a process had used at several moments, for its use during parts of its life."""

import time

import numpy as np
import psutil

_INTERVAL_S = 0.2


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

    def used_s(self, start_at: float, end_at: float) -> float | None:
        """Return the CPU seconds used between two moments in seconds since the epoch; None without a reading."""
        if not self._at:
            return None
        start, end = np.interp([start_at, end_at], self._at, self._cpu_s)
        return float(end - start)
