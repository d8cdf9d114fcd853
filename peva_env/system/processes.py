"""Child processes and temporary folders that never outlive this process, however it ends.

- Each child has its own session, so the id of its process group is its pid: Ctrl-C in the terminal does not reach it,
  and the processes that it spawns can be ended with it.
- A ``Guard`` beside this process kills the groups and removes the folders when this one dies, even by SIGKILL.

PR_SET_PDEATHSIG is no alternative: it fires when the *thread* that started the child ends, and macOS does not have it.
"""

import atexit
import contextlib
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from peva_env.system.guard import Guard
from peva_env.system.interrupts import uninterrupted

_POLL_S = 0.01
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FULL_DISK_BYTES = 1 << 20
"""A disk on which a write failed that names no file counts as full below this: a write takes less at once."""

_guard = Guard()
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
            env={**(os.environ if env is None else env), **mark},
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
