"""CPU and RAM of functions over time, sampled by a thread.

Notation: a *counter* is seconds since the sampling began; it never falls, although processes start and end.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import psutil

from peva_env.platforms.base import MachineUsage, NodeUsage, Usage
from peva_env.platforms.processes.members import Members
from peva_env.system import busy_s, usable_cores, waited_s

MIN_WINDOW_S = 0.2
"""Shortest window whose CPU use is meaningful: twenty ticks of the kernel's CPU clock."""

_KEPT_S = 3600.0
"""Age of the oldest samples that are kept. Four functions sampled twenty times a second need about 40 MB an hour."""

_LAST_SAMPLE_TIMEOUT_S = 2.0
"""Timeout for the last sample of a window after the window's end, on a machine under load."""


class Reading(NamedTuple):
    """One function at one moment."""

    cpu_s: float
    ram_bytes: int
    alive: bool
    waited_s: float | None  # see peva_env.system.waited_s


class Sample(NamedTuple):
    """All functions at one moment (monotonic seconds, which setting the clock does not change), in the order of names.

    ``busy_s`` are the CPU seconds of all programs of the machine.
    """

    at: float
    readings: tuple[Reading, ...]
    busy_s: float


class UsageSampler:
    """Samples functions until closed.

    Args:
        find: returns the processes of each function, by name; the names are always the same.
        interval_s: the time between two samples in seconds.
    """

    min_window_s = MIN_WINDOW_S

    def __init__(self, find: Callable[[], Mapping[str, Members]], interval_s: float) -> None:
        """Take the first sample and start the thread."""
        self._find = find
        self._functions = {name: _Function() for name in find()}
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
        at = [sample.at for sample in window]
        functions = {
            name: _of_function(at, [sample.readings[i] for sample in window]) for i, name in enumerate(self._functions)
        }
        node = _mean_usage(at, [_total(sample.readings) for sample in window])
        machine_pct = _cpu_pct(at, [sample.busy_s for sample in window])
        machine = None
        if machine_pct is not None and node.cpu_pct is not None:
            machine = MachineUsage(machine_pct, node.cpu_pct)
        return NodeUsage(node, functions, missing, machine)

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
        members = self._find()
        readings = tuple(function.read(members[name]) for name, function in self._functions.items())
        with self._changed:
            self._samples.append(Sample(time.monotonic(), readings, busy_s()))
            self._changed.notify_all()


class _Function:
    """Turns the times of a changing set of processes into counters."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._cpu = _Counter()
        self._waited = _Counter()

    def read(self, members: Members) -> Reading:
        cpu_s, ram_bytes, known = 0.0, 0, {}
        waits: list[float | None] = []
        for pid in members.pids:
            with contextlib.suppress(psutil.Error, OSError):  # a process may end at any moment
                process = known[pid] = self._known.get(pid) or psutil.Process(pid)
                # The CPU time of ended children is part of their parent's. Without it, a function that runs a program
                # for each request would seem idle. (macOS does not report it.)
                times = process.cpu_times()
                cpu_s += times.user + times.system + times.children_user + times.children_system
                ram_bytes += process.memory_info().rss
                waits.append(waited_s(pid))
        self._known = known
        waited = None if None in waits or not waits else self._waited.advance(sum(filter(None, waits)))
        return Reading(self._cpu.advance(cpu_s), ram_bytes, members.alive, waited)


class _Counter:
    """Adds up the increases of a sum over processes, which falls when a process leaves the group."""

    def __init__(self) -> None:
        self._counted_s = 0.0
        self._last_s: float | None = None

    def advance(self, sum_s: float) -> float:
        if self._last_s is not None:
            self._counted_s += max(0.0, sum_s - self._last_s)
        self._last_s = sum_s
        return self._counted_s


def _total(readings: Sequence[Reading]) -> Reading:
    cpu_s, ram_bytes, alive, _ = zip(*readings, strict=True)
    return Reading(sum(cpu_s), sum(ram_bytes), all(alive), None)


def _mean_usage(at: Sequence[float], readings: Sequence[Reading]) -> Usage:
    if not readings:
        return Usage()
    ram_bytes = sum(reading.ram_bytes for reading in readings) / len(readings)
    return Usage(
        cpu_pct=_cpu_pct(at, [reading.cpu_s for reading in readings]),
        ram_bytes=round(ram_bytes),
        ram_pct=100 * ram_bytes / psutil.virtual_memory().total,
    )


def _of_function(at: Sequence[float], readings: Sequence[Reading]) -> Usage:
    if not readings:
        return Usage()
    waited = [reading.waited_s for reading in readings if reading.waited_s is not None]
    return replace(
        _mean_usage(at, readings),
        replicas=int(readings[-1].alive),
        waiting_pct=_pct(at, waited) if len(waited) == len(readings) else None,
    )


def _cpu_pct(at: Sequence[float], used_s: Sequence[float]) -> float | None:
    """Return the CPU use between the first and last moment in percent of the usable cores."""
    pct = _pct(at, used_s)
    return None if pct is None else pct / usable_cores()


def _pct(at: Sequence[float], counter_s: Sequence[float]) -> float | None:
    """Return the increase of a counter in percent of the time; None for less than two moments."""
    if len(at) < 2 or at[-1] <= at[0]:
        return None
    return 100 * (counter_s[-1] - counter_s[0]) / (at[-1] - at[0])
