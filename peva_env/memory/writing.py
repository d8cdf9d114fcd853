"""Opening a memory for writing so that a failure leaves the file as it was."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peva_env.memory.duckdb_errors import naming
from peva_env.memory.file_locks import remove_created
from peva_env.memory.store import DuckDBMemoryStore


@contextmanager
def writing(path: str | Path, schema_version: str) -> Iterator[DuckDBMemoryStore]:
    """Open a memory for a block, see ``left_as_it_was``. Only who measures marks the sessions of killed processes.

    Raises:
        MemoryStoreError: see ``DuckDBMemoryStore.startup``; or a query of the block cannot read the memory.
    """
    store = DuckDBMemoryStore(path, schema_version=schema_version)
    with left_as_it_was(path, store.close), naming(path):
        store.database.open()
        yield store
        store.close()


@contextmanager
def left_as_it_was(path: str | Path, close: Callable[[], None]) -> Iterator[None]:
    """If the block raises, ``close`` the memory, remove it if the block created it, and empty it if it was empty.

    Links stay, and so does what another process has created meanwhile, or has opened since.
    """
    file = Path(os.path.realpath(path))
    is_new, is_empty = not file.exists(), file.is_file() and not file.stat().st_size
    try:
        yield
    except BaseException:
        close()
        if is_new or is_empty:
            remove_created(file, leave_empty=is_empty)
        raise
