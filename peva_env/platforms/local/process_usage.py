"""CPU and RAM of groups of processes over time, sampled by a thread.

Notation: a *counter* is CPU seconds since the sampling began; it never falls, although processes start and end. A
*group* is all processes in the process group of a leader: the leader and the processes that it spawned.
"""

import contextlib
import math
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

from peva_env.platforms.base import NodeUsage, Usage
from peva_env.system import usable_cores

MIN_WINDOW_S = 0.2
"""Shortest window whose CPU use is meaningful: twenty ticks of the kernel's CPU clock."""

_KEPT_S = 3600.0
"""Age of the oldest samples that are kept. Four functions sampled twenty times a second need about 40 MB an hour."""

_LAST_SAMPLE_TIMEOUT_S = 2.0
"""Timeout for the last sample of a window after the window's end, on a machine under load."""


class Reading(NamedTuple):
    """One group at one moment."""

    cpu_s: float
    ram_bytes: int
    alive: bool


class Sample(NamedTuple):
    """All groups at one moment (monotonic seconds, which setting the clock does not change), in the order of names."""

    at: float
    readings: tuple[Reading, ...]


class UsageSampler:
    """Samples the groups of some leaders until closed."""

    min_window_s = MIN_WINDOW_S

    def __init__(self, leaders: Mapping[str, subprocess.Popen[bytes]], interval_s: float) -> None:
        """Take the first sample and start the thread."""
        self._groups = {name: _Group(leader) for name, leader in leaders.items()}
        self._interval_s = interval_s
        self._samples: deque[Sample] = deque(maxlen=math.ceil(_KEPT_S / interval_s))
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._sample()
        self._thread = threading.Thread(target=self._run, name="peva-usage", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling; the samples stay readable."""
        self._closed.set()
        self._thread.join()

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean over the samples between two moments in seconds since the epoch, as the clock is set now.

        Waits until ``end_at`` is covered.
        """
        epoch = time.time() - time.monotonic()
        window = self._window(start_at - epoch, end_at - epoch)
        missing = () if len(window) > 1 else (f"{len(window)} samples in a window of {end_at - start_at:.3f} s",)
        totals = [_total(sample.readings) for sample in window]
        at = [sample.at for sample in window]
        functions = {
            name: _mean_usage(at, [sample.readings[i] for sample in window], replicas=True)
            for i, name in enumerate(self._groups)
        }
        return NodeUsage(_mean_usage(at, totals, replicas=False), functions, missing)

    def _window(self, start_at: float, end_at: float) -> list[Sample]:
        timeout_s = max(0.0, end_at - time.monotonic()) + _LAST_SAMPLE_TIMEOUT_S
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or self._samples[-1].at >= end_at, timeout_s)
            return [sample for sample in self._samples if start_at <= sample.at <= end_at]

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            with contextlib.suppress(OSError):  # no free file descriptor: one sample is skipped
                self._sample()
        with self._changed:
            self._changed.notify_all()

    def _sample(self) -> None:
        members = _members({group.id for group in self._groups.values()})
        readings = tuple(group.read(members[group.id]) for group in self._groups.values())
        with self._changed:
            self._samples.append(Sample(time.monotonic(), readings))
            self._changed.notify_all()


class _Group:
    """Turns the CPU times of a changing set of processes into one counter."""

    def __init__(self, leader: subprocess.Popen[bytes]) -> None:
        self.id = leader.pid
        self._leader = leader
        self._known: dict[int, psutil.Process] = {}
        self._counter_s = 0.0
        self._last_s: float | None = None

    def read(self, pids: Sequence[int]) -> Reading:
        cpu_s, ram_bytes, known = 0.0, 0, {}
        for pid in pids:
            with contextlib.suppress(psutil.Error):  # a process may end at any moment
                process = known[pid] = self._known.get(pid) or psutil.Process(pid)
                # The CPU time of ended children is part of their parent's. Without it, a function that runs a program
                # for each request would seem idle. (macOS does not report it.)
                times = process.cpu_times()
                cpu_s += times.user + times.system + times.children_user + times.children_system
                ram_bytes += process.memory_info().rss
        self._known = known
        self._advance(cpu_s)
        return Reading(self._counter_s, ram_bytes, self._leader.poll() is None)

    def _advance(self, cpu_s: float) -> None:
        if self._last_s is not None:
            self._counter_s += max(0.0, cpu_s - self._last_s)  # the sum falls when a process leaves the group
        self._last_s = cpu_s


def _members(groups: set[int]) -> dict[int, list[int]]:
    """Return the processes of each group: one system call per process, ten times faster than psutil's ``children``."""
    members: dict[int, list[int]] = {group: [] for group in groups}
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if pid and (group := os.getpgid(pid)) in groups:
                members[group].append(pid)
    return members


def _total(readings: Sequence[Reading]) -> Reading:
    cpu_s, ram_bytes, alive = zip(*readings, strict=True)
    return Reading(sum(cpu_s), sum(ram_bytes), all(alive))


def _mean_usage(at: Sequence[float], readings: Sequence[Reading], *, replicas: bool) -> Usage:
    if not readings:
        return Usage()
    ram_bytes = sum(reading.ram_bytes for reading in readings) / len(readings)
    elapsed_s = at[-1] - at[0]
    cpu_s = readings[-1].cpu_s - readings[0].cpu_s
    return Usage(
        cpu_pct=100 * cpu_s / (elapsed_s * usable_cores()) if elapsed_s > 0 else None,
        ram_bytes=round(ram_bytes),
        ram_pct=100 * ram_bytes / psutil.virtual_memory().total,
        replicas=int(readings[-1].alive) if replicas else None,
    )
