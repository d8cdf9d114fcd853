"""What DuckDB's errors mean: its text as one line, with advice where there is any."""

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from peva_env.errors import MemoryStoreError
from peva_env.system import processes, raise_end

_WRAPPED = re.compile(r'\{"exception_type":.*"exception_message":"(?P<message>(?:[^"\\]|\\.)*)"')
"""An error of a thread of DuckDB within the text of another error, as JSON."""

_LOCK_HOLDER = re.compile(r"lock is held in (?:(?P<program>.+) \(PID (?P<pid>\d+)\)|PID (?P<bare_pid>\d+))")
_NO_LOCK = re.compile(r'Could not set lock on file ".*?": (?P<reason>[^.,]+)')
_NO_ROOM = re.compile(rf'file "(?P<path>.+?)": (?:{os.strerror(errno.ENOSPC)}|{os.strerror(errno.EDQUOT)})')
_OTHER_LOG = re.compile(r"\bWAL\b.*(?: not match|already exists)")
_LOCKED = {os.strerror(errno.EACCES), os.strerror(errno.EAGAIN)}
"""Two texts by which an operating system says that another process has the lock."""

ANOTHER_FILE = "choose another db_path"
"""What errors advise where a memory's file cannot be used. Who gives the path by another key puts that in its place."""


def advising(error: MemoryStoreError, advice: str) -> str:
    """Return the text of an error with other advice than to choose another ``db_path``."""
    return str(error).replace(ANOTHER_FILE, advice)


@contextmanager
def naming(memory: str | Path, *, shown_instead_of: Path | None = None) -> Iterator[None]:
    """Raise what DuckDB cannot do in a block, such as read a damaged part of the file, as an error of this memory.

    Args:
        memory: its path.
        shown_instead_of: a copy of it that DuckDB has open.

    Raises:
        MemoryStoreError: DuckDB raised; the message names the memory.
        KeyboardInterrupt: Ctrl-C came during a query.
    """
    try:
        yield
    except duckdb.Error as error:
        problem = duckdb_problem(error)
        if shown_instead_of:
            problem = problem.replace(str(shown_instead_of), str(memory))
        raise MemoryStoreError(f"memory {memory}: {problem}") from error
    except RuntimeError as error:
        raise_end(error)
        raise


def duckdb_problem(error: duckdb.Error) -> str:
    """Return DuckDB's error message as one line, with advice where there is any."""
    text = str(error).splitlines()[0]
    wrapped = _WRAPPED.search(text)
    if wrapped:
        text = str(json.loads(f'"{wrapped["message"]}"', strict=False))
    holder = _LOCK_HOLDER.search(text)
    if holder:
        return f"in use by {_named(holder)}; wait for it, stop it, or {ANOTHER_FILE}"
    no_lock = _NO_LOCK.search(text)
    if no_lock and no_lock["reason"] in _LOCKED:
        return f"in use by another process; wait for it, stop it, or {ANOTHER_FILE}"
    if no_lock:
        return (
            f"its file system cannot lock files ({no_lock['reason']}), as many network drives cannot; "
            "choose an output_dir on a local disk"
        )
    no_room = _NO_ROOM.search(text)
    full_text = no_room and processes.no_room_text(no_room["path"])
    if full_text:
        return full_text
    if _OTHER_LOG.search(text):
        return (
            "its log (the file beside it with .wal at the end) is of another state of the file: the memory was written "
            "by another name, such as a hard link, or replaced; put the two that belong together side by side, or move "
            "the log away to go on without it"
        )
    if "version number" in text and "we can only read" in text:
        return f"was written by a newer DuckDB than {duckdb.__version__}, install a newer one: {text}"
    if "different configuration than existing connections" in text:
        return f"in use by this process; close what has it open, or {ANOTHER_FILE}"
    return text.removeprefix("IO Error: ")


def _named(holder: re.Match[str]) -> str:
    """Return the process that holds a lock, as well as DuckDB knows it."""
    if holder["program"]:
        return f"process {holder['pid']} ({Path(holder['program']).name})"
    if int(holder["bare_pid"]):
        return f"process {holder['bare_pid']}"
    return "a process of another machine or container"
