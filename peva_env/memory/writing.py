"""Opening a memory for writing so that a failure leaves the file as it was."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peva_env.memory.database import LOG_ENDINGS, is_in_use
from peva_env.memory.duckdb_errors import naming
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
    """If the block raises, remove the memory that it created, and empty the one that was empty; links stay."""
    file = Path(os.path.realpath(path))
    is_new, is_empty = not file.exists(), file.is_file() and not file.stat().st_size
    try:
        yield
    except BaseException:
        # Another process may have created it meanwhile, so that ours failed.
        if (is_new or is_empty) and file.exists() and not is_in_use(file):
            for end in ("", *LOG_ENDINGS):  # a full disk keeps DuckDB from folding its log into the file
                Path(f"{file}{end}").unlink(missing_ok=True)
            if is_empty:
                file.touch()
        raise
