"""Files that are complete at any moment."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; the file that the block writes there becomes ``path`` at its end.

    Readers see the old file or the complete new one, also after a crash: the new one is on disk before it is renamed,
    and the rename before this returns. When the block raises, the old file stays and the temporary one is removed; an
    error of the operating system then names ``path``. A killed process leaves the temporary file behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.strerror and str(error.filename or partial) == str(partial):
            error.filename = str(path)  # a full disk names no file; and nobody knows the temporary one
        raise
    _sync(path.parent)


def local_path(text: str) -> Path:
    """Return the path that a user wrote, with ``~`` expanded.

    Raises:
        ValueError: it is empty, a URL, or has a NUL character, or its ``~user`` does not exist.
    """
    if not text:
        raise ValueError("must not be empty; `.` is the working folder")
    if "\0" in text:
        raise ValueError("must be a path without a NUL character")
    if _URL.match(text):
        raise ValueError("must be a path on this machine, not a URL")
    path = Path(text)
    if str(path).startswith("~") and not text.startswith("~"):
        return path.absolute()  # ``./~`` is a name; as ``~``, what ``Path`` makes of it, it would be expanded later
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("names a home folder that cannot be found; write the whole path") from error


def write_text(path: Path, text: str) -> None:
    """Replace a file by this text and a newline."""
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    """Return when a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
