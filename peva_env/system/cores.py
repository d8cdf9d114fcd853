"""The cores of this machine: how many there are, how busy they are, and how long processes wait for one."""

import os
import sys
import time
from pathlib import Path

import psutil

_NS_PER_S = 1e9
_PROC = Path("/proc")


def usable_cores() -> int:
    """Return the number of cores that this process and its children may run on."""
    return len(_usable())


def busy_s() -> float:
    """Return the CPU seconds that all programs have used on the usable cores since the machine started.

    Interrupts do not count, because the load itself causes them. Nor does what a hypervisor withheld (*steal*).
    """
    return _used_s("user", "nice", "system")


def urgent_pct(window_s: float) -> float:
    """Return the CPU use of the programs of normal priority during a window that begins now, percent of all cores.

    Programs of low priority (``nice``) leave a core to those that need it.
    """
    before, began = _used_s("user", "system"), time.monotonic()
    time.sleep(window_s)
    used_s, took_s = _used_s("user", "system") - before, time.monotonic() - began
    return 100 * used_s / (took_s * usable_cores())


def waited_s(pid: int) -> float | None:
    """Return the seconds for which the threads of a process were ready to run but had no core, since they started.

    None where the kernel does not say, as on macOS. Threads that have ended do not count.

    Source: the second number of ``/proc/PID/task/TID/schedstat`` (Linux, Documentation/scheduler/sched-stats.rst).

    Raises:
        OSError: the process has ended.
    """
    tasks = _PROC / str(pid) / "task"
    if not (_PROC / "self" / "schedstat").exists():
        return None
    return sum(_waited_ns(task) for task in tasks.iterdir()) / _NS_PER_S


def _usable() -> list[int]:
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _used_s(*kinds: str) -> float:
    """Return the CPU seconds of some kinds on the usable cores; not every system tells all kinds."""
    times = psutil.cpu_times(percpu=True)
    return sum(getattr(times[core], kind, 0.0) for core in _usable() if core < len(times) for kind in kinds)


def _waited_ns(task: Path) -> int:
    try:
        return int((task / "schedstat").read_bytes().split()[1])
    except (FileNotFoundError, ProcessLookupError):  # the thread has ended since, the latter while it was read
        return 0
