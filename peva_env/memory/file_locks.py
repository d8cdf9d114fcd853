"""What keeps a memory's file from two writers, beside the lock that DuckDB takes on it.

- DuckDB's lock is one of ``fcntl``, and the system ends such a lock when the process that has it closes *any*
  descriptor of the file, also one that was only read from. So nothing opens a file that this process has open already,
  and threads look at files and open them one at a time.
- A memory begins in three steps: there is no file, DuckDB makes one, the tables are made. A lock on its folder
  (``flock``) keeps other processes out of these steps, and out of the removal of a memory whose beginning failed. Where
  that lock cannot be had, nothing is removed.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from peva_env.errors import MemoryStoreError

type Identity = tuple[int, int]
"""Device and inode."""

LOG_ENDINGS = (".wal", ".wal.checkpoint", ".wal.recovery")
"""The names of DuckDB's logs, after the name of the file."""

_FOLDER_S = 20.0
_POLL_S = 0.01

_looking = threading.RLock()
_open_here: WeakValueDictionary[Identity, object] = WeakValueDictionary()
_created_here: dict[Identity, tuple[tuple[int, int] | None, ...]] = {}
"""The memories that this process has created, each with the states of its files when it was closed."""


def _forget() -> None:
    """Begin anew in a process that was forked: it has no locks, and a thread that it does not have may be looking."""
    global _looking
    _looking = threading.RLock()
    _open_here.clear()
    _created_here.clear()


os.register_at_fork(after_in_child=_forget)


def identity(path: str | Path) -> Identity | None:
    """Return the device and inode of a file, None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def looking(path: str | Path) -> Iterator[bool]:
    """Keep other threads from opening memories; give whether this process has the file open, which must not be opened.

    Whoever reads the file of another process opens and closes it within the block.
    """
    with _looking:
        yield identity(path) in _open_here


@contextmanager
def alone_in_folder(path: str | Path, *, limit_s: float = _FOLDER_S) -> Iterator[bool]:
    """Keep everybody else from beginning or removing a memory in the folder of a file.

    Give whether that is so: some network drives have no such lock, and a folder may be unreadable.

    Raises:
        MemoryStoreError: another process has kept the folder for ``limit_s``.
    """
    with ExitStack() as resources:
        is_alone = False
        with suppress(OSError):
            folder = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY)
            resources.callback(os.close, folder)
            _lock(folder, path, limit_s)
            resources.callback(fcntl.flock, folder, fcntl.LOCK_UN)  # also for a process that was forked meanwhile
            is_alone = True
        resources.enter_context(_looking)  # not while it waits for another process
        yield is_alone


def _lock(folder: int, path: str | Path, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise MemoryStoreError(
                    f"memory {path}: another process has been opening a memory in its folder for {limit_s:g} s; wait "
                    "for it, or stop it"
                ) from None
        time.sleep(_POLL_S)


def opened(path: str | Path, connection: object) -> None:
    """Remember that this process has a file open, as long as its connection lives or until ``closed``."""
    found = identity(path)
    if found is not None:
        _open_here[found] = connection


def closed(connection: object) -> None:
    """Forget what was opened by a connection."""
    for found, owner in list(_open_here.items()):
        if owner is connection:
            del _open_here[found]


def created(path: str | Path) -> None:
    """Remember that this process has created a memory, and has just closed it, within ``alone_in_folder``."""
    found = identity(path)
    if found is not None:
        _created_here[found] = _states(path)


def remove_created(path: Path, *, leave_empty: bool) -> None:
    """Remove a memory that this process has created, unless anybody has opened it since; or leave an empty file.

    A full disk keeps DuckDB from folding its log into the file, so the logs go, too.
    """
    with suppress(MemoryStoreError), alone_in_folder(path) as is_alone:
        found = identity(path)
        if (
            not is_alone
            or found is None
            or found in _open_here
            or _created_here.get(found) != _states(path)
            or is_in_use(path)
        ):
            return
        for end in ("", *LOG_ENDINGS):
            Path(f"{path}{end}").unlink(missing_ok=True)
        if leave_empty:
            path.touch()


def is_in_use(path: Path) -> bool:
    """Tell whether another process holds the lock that DuckDB takes on a file."""
    with looking(path) as is_open_here:
        if is_open_here:
            return False
        with path.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def _states(path: str | Path) -> tuple[tuple[int, int] | None, ...]:
    """Return when a memory's file and its logs were changed, in ns, and their sizes in bytes."""
    return tuple(_state(f"{path}{end}") for end in ("", *LOG_ENDINGS))


def _state(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
