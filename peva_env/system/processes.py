"""Child processes and temporary folders that never outlive this process, however it ends.

- Each child has its own session, so the id of its process group is its pid: Ctrl-C in the terminal does not reach it,
  and the processes that it spawns can be ended with it.
- A *guard*, a tiny process beside this one, knows every live group and every temporary folder. It reads a pipe whose
  only writer is this process: when this process dies, even by SIGKILL, the guard reads the end of the pipe, kills the
  groups and removes the folders. A child that this process was just starting, and could not register any more, is
  found by a mark in its environment where there is ``/proc``, as on Linux.

PR_SET_PDEATHSIG is no alternative: it fires when the *thread* that started the child ends, and macOS does not have it.
"""

import atexit
import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from peva_env.system.interrupts import uninterrupted

_POLL_S = 0.01
_GUARD_EXIT_S = 2.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FULL_DISK_BYTES = 1 << 20
"""A disk on which a write failed that names no file counts as full below this: a write takes less at once."""

_MARK = "PEVA_ENV_CHILD"
_NUMBERS = itertools.count()

_GUARD_SCRIPT = """
import json, os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
held = set()
for line in sys.stdin:
    (held.add if line[0] == "+" else held.discard)(json.loads(line[1:]))
def kill(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
for group in held:
    if isinstance(group, int):
        kill(group)
starting = {one.encode() for one in held if isinstance(one, str) and not os.path.isabs(one)}
for _ in range(100):  # a child has its environment some milliseconds after it was begun
    if not starting or not os.path.isdir("/proc"):
        break
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                marks = starting.intersection(file.read().split(b"\\0"))
            if marks:
                kill(os.getpgid(int(pid)))
        except OSError:
            continue
        starting -= marks
    time.sleep(0.02)
import shutil
for folder in held:
    for _ in range(50):  # the processes just killed may still write
        if isinstance(folder, int) or not os.path.lexists(folder):
            break
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)
"""


class _Guard:
    """Registers process groups (by number), folders (by path) and children that are starting (by mark).

    The guard process is started when it is first needed, and again if it dies.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._held: set[int | str] = set()

    @contextlib.contextmanager
    def starting(self) -> Iterator[str]:
        """Give the value of the mark of a child that is started and registered in a block."""
        value = f"{os.getpid()}.{time.time_ns()}.{next(_NUMBERS)}"
        self.add(f"{_MARK}={value}")
        try:
            yield value
        finally:
            self.discard(f"{_MARK}={value}")

    def ensure(self) -> None:
        with self._lock:
            if not self._is_alive():
                self._process = self._spawn()
                for held in self._held:
                    self._send("+", held)

    def add(self, group_or_folder: int | str) -> None:
        with self._lock:
            self._held.add(group_or_folder)
            self._send("+", group_or_folder)

    def discard(self, group_or_folder: int | str) -> None:
        with self._lock:
            self._held.discard(group_or_folder)
            self._send("-", group_or_folder)

    def holds(self, group: int) -> bool:
        with self._lock:
            return group in self._held

    def folder_of(self, path: Path) -> Path | None:
        with self._lock:
            folders = [Path(held) for held in self._held if isinstance(held, str)]
        return next((folder for folder in folders if path.is_relative_to(folder)), None)

    def close(self) -> None:
        """End the guard, which kills and removes everything that is still registered."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GUARD_EXIT_S)

    def forget(self) -> None:
        """Forget the guard in a forked child: its copy of the parent's pipe would hide the parent's death."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.returncode = 0  # not ours to wait for; Popen would warn that it is still running
        self._process = None
        self._held = set()
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

    def _send(self, sign: str, group_or_folder: int | str) -> None:
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(f"{sign}{json.dumps(group_or_folder)}\n".encode())


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
    """Start a child that ends with this process at the latest; call ``stop`` even if it has ended by itself.

    It does not read our standard input. The caller closes pipes requested with ``subprocess.PIPE``.

    Raises:
        OSError: the program cannot be started.
    """
    _guard.ensure()
    with uninterrupted(), _guard.starting() as mark:  # else a Ctrl-C could leave an unregistered child
        process = subprocess.Popen(
            args,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**(os.environ if env is None else env), _MARK: mark},
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        _guard.add(process.pid)
    return process


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Give a folder that is removed when the block ends, also when this process is killed inside it.

    Raises:
        OSError: its disk is full; the message tells the remedy, instead of naming a file that the disk has no room for.
    """
    _guard.ensure()
    with contextlib.ExitStack() as resources:
        with uninterrupted():
            folder = tempfile.TemporaryDirectory(prefix=prefix)
            _guard.add(folder.name)
            resources.callback(_guard.discard, folder.name)
            resources.enter_context(folder)
        try:
            yield Path(folder.name)
        except OSError as error:
            if error.errno in _NO_ROOM and _concerns(error, folder.name):
                raise OSError(error.errno, no_room_text(folder.name)) from error
            raise


def no_room_text(path: str | Path) -> str | None:
    """Return what is wrong, and the remedy, if a file in a temporary folder has no room; None for any other file."""
    folder = _guard.folder_of(Path(path))
    if folder is None:
        return None
    return (
        f"the disk of temporary files ({folder.parent}) is full; free space, or set TMPDIR to a folder on another disk"
    )


def _concerns(error: OSError, folder: str) -> bool:
    """Tell whether a file in a folder had no room; a copy names both files, a write to an open file none."""
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str)]
    if not names:
        return shutil.disk_usage(folder).free < _FULL_DISK_BYTES
    return any(Path(name).is_relative_to(folder) for name in names)


def stop(*processes: subprocess.Popen[bytes], grace_s: float = 1.0) -> None:
    """End the children and their process groups: SIGTERM, up to ``grace_s`` in all, SIGKILL.

    It may be called twice. A descendant with its own session is not ended.
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
    # Reap first: a leader that was not waited for would keep its group alive.
    return process.poll() is None or _signal_group(process.pid, 0)


def _signal_group(group: int, number: int) -> bool:
    """Signal a group; False if the group has ended (macOS refuses a group of zombies instead)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
