"""Opening a memory for writing so that a failure leaves the file as it was."""

import os
from collections.abc import Iterator
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
    with left_as_it_was(path):
        store = DuckDBMemoryStore(path, schema_version=schema_version)
        store.database.open()
        try:
            with naming(path):
                yield store
        finally:
            store.close()


@contextmanager
def left_as_it_was(path: str | Path) -> Iterator[None]:
    """If the block raises, remove the memory that it created and closed, and empty the one that was empty; links stay.

    What another process has created meanwhile, or has opened since, stays.
    """
    file = Path(os.path.realpath(path))
    is_new, is_empty = not file.exists(), file.is_file() and not file.stat().st_size
    try:
        yield
    except BaseException:
        if is_new or is_empty:
            remove_created(file, leave_empty=is_empty)
        raise
