"""Reading a memory that another process is writing to, without stopping it or making it wait.

DuckDB locks a file that a process has open for writing. But committed data lie in two files: the database, which
changes only at a checkpoint of the log, and the log (``.wal``), which only grows in between. Copies of both, taken
while the database did not change, are a memory as of the last commit; DuckDB ignores a half-written entry at the end
of the log, as after a crash.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from peva_env.errors import MemoryStoreError, SchemaMismatchError
from peva_env.memory.database import Database
from peva_env.memory.duckdb_errors import advising, naming
from peva_env.memory.existing_file import is_cut_off
from peva_env.memory.file_locks import LOG_ENDINGS, looking
from peva_env.system import processes

_LOG = ".wal"
_ENDINGS = ("", *LOG_ENDINGS, ".tmp")

_COPY = """
import shutil, sys
try:
    shutil.copyfile(*sys.argv[1:])
except OSError as error:
    print(error.errno)
"""

_ADVICE = "name another file"
_ATTEMPTS = 50
_PAUSE_S = 0.1
_SETTLED_S = 0.05
"""A file system's clock may tick only every few ms, so a file changed just now could change again within the same tick.
A modification time in the future means that the clock was set back."""


@contextmanager
def reading(path: str | Path, schema_version: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a snapshot of a memory as of its last commit, whoever else has it open.

    Raises:
        MemoryStoreError: there is no such file, it is not a memory, it changes too often to be copied, or a query of
            the block cannot read it.
        SchemaMismatchError: it is of another schema version.
    """
    if Path(path).is_dir():
        raise MemoryStoreError(
            f"memory {path}: is a folder; name the file in it, such as {Path(path) / 'peva_faas.duckdb'}"
        )
    if not Path(path).exists():
        raise MemoryStoreError(f"memory {path}: there is no such file")
    if not Path(path).is_file():
        raise MemoryStoreError(f"memory {path}: is no regular file; name a DuckDB file")
    if not Path(path).stat().st_size:
        raise MemoryStoreError(f"memory {path}: is an empty file")
    with processes.temporary_folder("peva-snapshot-") as folder:
        copy = folder / "memory"  # a name that leaves room for the endings of logs, as that of the memory may not
        _copy(Path(path), copy)
        if is_cut_off(str(copy)):
            n_bytes = copy.stat().st_size
            raise MemoryStoreError(
                f"memory {path}: ends after {n_bytes:,} bytes, so that nothing can be read of it: it was cut off, or "
                "is just being made"
            )
        database = Database(str(copy), schema_version, shown_as=str(path))
        try:
            database.open()
        except SchemaMismatchError as error:
            raise SchemaMismatchError(_told(error, copy, path)) from error
        except MemoryStoreError as error:  # also MemoryPathError: what is only read is no output in the wrong place
            raise MemoryStoreError(_told(error, copy, path)) from error
        try:
            with naming(path, shown_instead_of=copy):
                yield database.connection
        finally:
            database.close()


def _told(error: MemoryStoreError, copy: Path, path: str | Path) -> str:
    """Return the text of an error about a copy as one about the memory."""
    return advising(error, _ADVICE).replace(str(copy), str(path))


def _copy(path: Path, copy: Path) -> None:
    log, log_copy = _log(Path(os.path.realpath(path))), _log(copy)  # a link has no log of its own
    for _ in range(_ATTEMPTS):
        before = _state(path)
        with looking(path) as is_open_here:
            copy_file = _copy_elsewhere if is_open_here else shutil.copyfile
            copy_file(path, copy)
            log_copy.unlink(missing_ok=True)
            if log.exists():
                with suppress(FileNotFoundError):  # merged into the database just now: the database has changed
                    copy_file(log, log_copy)
        unsettled_s = _SETTLED_S - abs(time.time() - before[0] / 1e9)
        if _state(path) != before:
            time.sleep(_PAUSE_S)
        elif unsettled_s < 0:
            return
        else:
            time.sleep(unsettled_s)
    raise MemoryStoreError(f"memory {path}: it changed during each of {_ATTEMPTS} copies; try again")


def _copy_elsewhere(path: Path, copy: Path) -> None:
    """Copy a file in another process, since this one must not close it: see ``peva_env.memory.file_locks``."""
    python = [sys.executable, "-I", "-S", "-c", _COPY]
    said = subprocess.run([*python, path, copy], stdout=subprocess.PIPE, check=True).stdout
    if said:
        raise OSError(int(said), os.strerror(int(said)), str(path), None, str(copy))


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}{_LOG}")


def memory_files(path: Path) -> list[Path]:
    """Return a memory's file and the names of those that DuckDB writes beside it: no other output may have them."""
    paths = {path, Path(os.path.realpath(path))}
    return [Path(f"{one}{end}") for one in paths for end in _ENDINGS]  # a folder as / or . has no name to change


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
