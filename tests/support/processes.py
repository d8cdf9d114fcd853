"""Processes that a test starts or waits for."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def command_of(process: psutil.Process) -> str:
    """Return the command line of a process, nothing of one that has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie too
        return ""


def is_gone(process: psutil.Process | int) -> bool:
    """Return whether a process, or the process with this id, has ended."""
    try:
        found = psutil.Process(process) if isinstance(process, int) else process
        return not found.is_running() or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


_BUSY = "import time; ends_at_s = time.monotonic() + 60\nwhile time.monotonic() < ends_at_s: pass"
"""Ends by itself, too, in case the tests are killed."""


@contextmanager
def busy(n_programs: int) -> Iterator[list[int]]:
    """Run programs that use as much CPU as they get, for a minute at most; yield their pids."""
    programs = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(n_programs)]
    try:
        yield [program.pid for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.wait()
