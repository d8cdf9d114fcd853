"""What keeps a memory's file from two writers, beside the lock that DuckDB takes on it.

- DuckDB's lock is one of ``fcntl``, and the system ends such a lock when the process that has it closes *any*
  descriptor of the file, also one that was only read from. So nothing opens a file that this process has open already,
  and threads look at files and open them one at a time.
- A memory begins in three steps: there is no file, DuckDB makes one, the tables are made. A lock on its folder
  (``flock``) keeps other processes out of these steps.
- A memory that this process has begun is removed before it is closed: until then nobody else can have opened it.
"""

import ctypes
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

_FOLDER_S = 10.0
_POLL_S = 0.01

_looking = threading.RLock()
_open_here: WeakValueDictionary[Identity, object] = WeakValueDictionary()


def _forget() -> None:
    """Begin anew in a process that was forked: it has no locks, and a thread that it does not have may be looking.

    The connections of the other process are kept to the end: DuckDB crashes when it closes one in a process that lacks
    its threads.
    """
    global _looking
    _looking = threading.RLock()
    for connection in _open_here.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    _open_here.clear()


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


def remove_open(path: str, *, leave_empty: bool) -> None:
    """Remove a memory that this process has begun and still has open, or leave an empty file in its place.

    The file goes last: as soon as it is gone, another process may begin a memory, whose log must stay.
    """
    with suppress(OSError):  # such as a name that is too long for a log
        for end in LOG_ENDINGS:
            Path(f"{path}{end}").unlink(missing_ok=True)
    Path(path).unlink(missing_ok=True)
    if leave_empty:
        with suppress(OSError):  # such as a full disk: there was nothing in the file
            Path(path).touch()


def remove_unused(path: str, *, leave_empty: bool) -> None:
    """Remove a file in which DuckDB could begin no memory, within ``alone_in_folder``, unless anybody has it open."""
    with suppress(OSError), Path(path).open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_open(path, leave_empty=leave_empty)


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
