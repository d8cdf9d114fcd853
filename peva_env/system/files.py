"""Files that are complete at any moment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; the file that the block writes there becomes ``path`` at its end.

    Readers see the old file or the complete new one, also after a crash: the new one is on disk before it is renamed,
    and the rename before this returns. When the block raises, the old file stays and the temporary one is removed. A
    killed process leaves the temporary file behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


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
