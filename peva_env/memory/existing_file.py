"""What lies at the path of a memory, found out before DuckDB opens it.

``file`` is without links, ``shown_as`` is the path in error messages.
"""

import fcntl
import os
import stat
import warnings
from pathlib import Path

from peva_env.errors import MemoryPathError, MemoryStoreError
from peva_env.memory.duckdb_errors import ANOTHER_FILE
from peva_env.memory.file_locks import LOG_ENDINGS, identity, looking

_MAGIC = b"DUCK"
_MAGIC_END = 12
"""DuckDB's files begin with an 8-byte checksum and these four letters."""

_HEADER_BYTES = 4096
_HEADERS_END = 3 * _HEADER_BYTES
"""Three headers come before all data. A shorter file than one of them is another's, whatever it begins with."""


def make_folder(file: str, shown_as: str) -> None:
    """Create the folder of a file.

    Raises:
        MemoryPathError: the file has the name of a log.
        MemoryStoreError: the folder cannot be created.
    """
    _require_no_log_name(file, shown_as)
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MemoryStoreError(f"memory {shown_as}: its folder cannot be created: {error.strerror}") from error


def require_place(file: str, shown_as: str) -> None:
    """Check that a memory can begin where there is no file.

    Raises:
        MemoryPathError: the file has the name of a log.
        MemoryStoreError: there is a log of a memory that is gone.
    """
    _require_no_log_name(file, shown_as)
    _require_no_log(file, shown_as)


def is_to_begin(file: str) -> bool:
    """Tell whether there is no file, or none that can hold anything."""
    try:
        status = Path(file).stat()
    except OSError:
        return True
    return stat.S_ISREG(status.st_mode) and status.st_size < _HEADERS_END and not _has_log(file)


def is_empty(file: str) -> bool:
    """Tell whether there is an empty file."""
    return Path(file).is_file() and _size(file) == 0


def is_database(file: str, shown_as: str, begins: bool) -> bool:
    """Tell whether there is a database; remove one that is cut off if a new one ``begins``.

    A file without DuckDB's magic bytes is not given to DuckDB at all: it would try to download a reader for it.

    Raises:
        MemoryPathError: there is something else.
        MemoryStoreError: there is only a log; it cannot be read, or this process has it open.
    """
    with looking(file) as is_open_here:
        if is_open_here:
            raise MemoryStoreError(
                f"memory {shown_as}: in use by this process; close what has it open, or {ANOTHER_FILE}"
            )
    try:
        if not stat.S_ISREG(Path(file).stat().st_mode):
            raise MemoryPathError(f"memory {shown_as}: is no regular file; {ANOTHER_FILE}")
        with Path(file).open("rb") as opened:
            head = opened.read(_MAGIC_END)
            n_bytes = os.fstat(opened.fileno()).st_size
        if (_ends_in_headers(head, n_bytes) or not head) and not _has_log(file):
            if begins:
                _remove_cut_off(file, shown_as, n_bytes)
            return False
    except FileNotFoundError:
        _require_no_log(file, shown_as)
        return False
    except OSError as error:
        raise MemoryStoreError(f"memory {shown_as}: cannot be read: {error.strerror}") from error
    if not _is_duckdb(head) or n_bytes < _HEADER_BYTES:
        raise MemoryPathError(f"memory {shown_as}: is not a DuckDB database; {ANOTHER_FILE}")
    return True


def is_cut_off(file: str) -> bool:
    """Tell whether a database without a log ends within its headers, so that it holds nothing that can be read."""
    with Path(file).open("rb") as opened:
        return _ends_in_headers(opened.read(_MAGIC_END), os.fstat(opened.fileno()).st_size) and not _has_log(file)


def _is_duckdb(head: bytes) -> bool:
    return len(head) == _MAGIC_END and head.endswith(_MAGIC)


def _ends_in_headers(head: bytes, n_bytes: int) -> bool:
    return _is_duckdb(head) and _HEADER_BYTES <= n_bytes < _HEADERS_END


def is_without_data(file: str) -> bool:
    """Tell whether DuckDB has begun to make the file, and no more."""
    size = _size(file)
    return size is not None and size <= _HEADERS_END and not _has_log(file)


def may_be_replayed(file: str) -> bool:
    """Tell whether a log that DuckDB might replay lies beside the file."""
    return any(_size(f"{file}{end}") is not None for end in LOG_ENDINGS)


def _require_no_log_name(file: str, shown_as: str) -> None:
    if file.endswith(LOG_ENDINGS):
        raise MemoryPathError(f"memory {shown_as}: DuckDB gives such a name to its logs; {ANOTHER_FILE}")


def _require_no_log(file: str, shown_as: str) -> None:
    """Raise ``MemoryStoreError`` if a log lies where there is no memory: DuckDB would remove it with all its runs."""
    for end in LOG_ENDINGS:
        if _size(log := f"{file}{end}"):
            raise MemoryStoreError(
                f"memory {shown_as}: there is only its log, {Path(log).name}, which can hold runs; put the memory back "
                "beside it, or move the log away to begin a new memory"
            )


def _has_log(file: str) -> bool:
    return bool(_size(f"{file}.wal"))


def _size(file: str) -> int | None:
    """Return the size of a file in bytes; None if there is none, or if its name is too long."""
    try:
        return Path(file).stat().st_size
    except OSError:
        return None


def _remove_cut_off(file: str, shown_as: str, n_bytes: int) -> None:
    """Remove a file that ends within its headers: a full disk or a kill cut it off when it was created.

    DuckDB would always refuse it. It holds nothing, because the log, too, begins only after the headers.

    Raises:
        MemoryStoreError: another process is creating it just now.
    """
    with Path(file).open("r+b") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock that DuckDB takes
        except BlockingIOError:
            raise MemoryStoreError(f"memory {shown_as}: another process is creating it; try again") from None
        status = os.fstat(opened.fileno())
        if status.st_size != n_bytes or (status.st_dev, status.st_ino) != identity(file):
            raise MemoryStoreError(f"memory {shown_as}: another process has just created it; try again")
        Path(file).unlink()
    if n_bytes:
        warnings.warn(
            f"memory {shown_as}: was cut off at {n_bytes:,} bytes, so that nothing can be read of it; it is begun anew",
            UserWarning,
            stacklevel=2,
        )
