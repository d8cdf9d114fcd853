"""The guard: a tiny process beside this one, which ends what this one has started when this one dies.

It knows every live process group and every temporary folder. It reads a pipe whose only writer is this process: when
this process dies, even by SIGKILL, the guard reads the end of the pipe, kills the groups and removes the folders. A
child that this process was just starting, and could not add any more, is found by a mark in its environment where there
is ``/proc``, as on Linux.
"""

import contextlib
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

_EXIT_S = 2.0

_MARK = "PEVA_ENV_CHILD"

_SCRIPT = """
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
        except OSError:  # it has ended, or is of another user
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


class Guard:
    """Registers process groups (by number), folders (by path) and children that are starting (by mark).

    The guard process is started when it is first needed, and again if it dies.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._held: set[int | str] = set()

    @contextlib.contextmanager
    def starting(self) -> Iterator[dict[str, str]]:
        """Give the mark for the environment of a child that is started and added in a block."""
        value = uuid.uuid4().hex
        self.add(f"{_MARK}={value}")
        try:
            yield {_MARK: value}
        finally:
            self.discard(f"{_MARK}={value}")

    def ensure(self) -> None:
        """Start the guard's process if it is not there."""
        with self._lock:
            if not self._is_alive():
                self._process = self._spawn()
                for held in self._held:
                    self._send("+", held)

    def add(self, held: int | str) -> None:
        """Let the guard end a process group, or remove a folder, when this process dies."""
        with self._lock:
            self._held.add(held)
            self._send("+", held)

    def discard(self, held: int | str) -> None:
        """Let the guard leave what was added."""
        with self._lock:
            self._held.discard(held)
            self._send("-", held)

    def holds(self, group: int) -> bool:
        """Tell whether a process group was added, and not discarded."""
        with self._lock:
            return group in self._held

    def folder_of(self, path: Path) -> Path | None:
        """Return the folder that was added and holds a path, or None."""
        with self._lock:
            folders = [Path(held) for held in self._held if isinstance(held, str)]
        return next((folder for folder in folders if path.is_relative_to(folder)), None)

    def close(self) -> None:
        """End the guard, which kills and removes everything that is still registered."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_EXIT_S)

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
            [sys.executable, "-I", "-S", "-c", _SCRIPT],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _send(self, sign: str, held: int | str) -> None:
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(f"{sign}{json.dumps(held)}\n".encode())
