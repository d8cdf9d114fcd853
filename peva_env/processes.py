"""Child processes that never outlive us, however we end.

- Each child has a session of its own, so its process group has its pid: Ctrl-C in the terminal does not reach it, and
  whatever it spawns can be ended with it.
- A *guard*, one tiny process beside this one, knows every live group. It reads a pipe whose only writer is this
  process: when we die, even by SIGKILL, it meets the end of the pipe and kills the groups.

PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the child ends, and macOS does not have it.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from peva_env.interrupts import uninterrupted

_POLL_S = 0.01
_GUARD_EXIT_S = 2.0
_GUARD_SCRIPT = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class _Guard:
    """Tells the guard process which groups live; starts it when first needed, and again should it die."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def ensure(self) -> None:
        with self._lock:
            if not self._is_alive():
                self._process = self._spawn()
                for group in self._groups:
                    self._tell(f"+{group}")

    def add(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            self._tell(f"+{group}")

    def discard(self, group: int) -> None:
        with self._lock:
            self._groups.discard(group)
            self._tell(f"-{group}")

    def holds(self, group: int) -> bool:
        with self._lock:
            return group in self._groups

    def close(self) -> None:
        """End the guard; it kills what is still registered."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GUARD_EXIT_S)

    def forget(self) -> None:
        """Begin anew in a forked child: guard and groups are the parent's, whose death this copy of the pipe hides."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.returncode = 0  # not ours to wait for; Popen would warn that it is still running
        self._process = None
        self._groups = set()
        self._lock = threading.Lock()  # another thread may have held the old one while we forked

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARD_SCRIPT],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _tell(self, message: str) -> None:
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(f"{message}\n".encode())


_guard = _Guard()
atexit.register(_guard.close)
os.register_at_fork(after_in_child=_guard.forget)


def start(
    args: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    pass_fds: Sequence[int] = (),
    stdout: int | IO[Any] | None = subprocess.DEVNULL,
    stderr: int | IO[Any] | None = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child that ends with us at the latest; give it to ``stop`` even when it has ended by itself.

    It reads nothing from our standard input. Pipes asked for with ``subprocess.PIPE`` are the caller's to close.

    Raises:
        OSError: the program cannot be started.
    """
    _guard.ensure()
    with uninterrupted():  # else a Ctrl-C between the two would leave a child that nobody knows
        process = subprocess.Popen(
            args,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        _guard.add(process.pid)
    return process


def stop(*processes: subprocess.Popen[bytes], grace_s: float = 1.0) -> None:
    """End the children and all that is left in their groups: SIGTERM, up to ``grace_s`` in all, SIGKILL.

    It may be called twice. A descendant that made a session of its own is out of reach.
    """
    ours = [process for process in processes if _guard.holds(process.pid)]
    try:
        for process in ours:
            _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while any(map(_is_group_alive, ours)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    finally:
        for process in ours:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            _guard.discard(process.pid)


def _is_group_alive(process: subprocess.Popen[bytes]) -> bool:
    # Reap first: a leader that nobody waited for would keep its group alive.
    return process.poll() is None or _signal_group(process.pid, 0)


def _signal_group(group: int, number: int) -> bool:
    """Signal a group; False where there is none left (macOS refuses a group of zombies instead)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
