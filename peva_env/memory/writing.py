"""Opening a memory for writing so that a failure leaves the file as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peva_env.memory.duckdb_errors import naming
from peva_env.memory.store import DuckDBMemoryStore


@contextmanager
def writing(path: str | Path, schema_version: str) -> Iterator[DuckDBMemoryStore]:
    """Open a memory for a block, see ``left_as_it_was``. Only who measures marks the sessions of killed processes.

    Raises:
        MemoryStoreError: see ``DuckDBMemoryStore.startup``; or a query of the block cannot read the memory.
    """
    store = DuckDBMemoryStore(path, schema_version=schema_version)
    with left_as_it_was(store), naming(path):
        store.database.open()
        yield store
        store.close()


@contextmanager
def left_as_it_was(store: DuckDBMemoryStore) -> Iterator[None]:
    """If the block raises, close the memory, and leave nothing of it if the block has begun it, or an empty file."""
    try:
        yield
    except BaseException:
        store.discard()
        raise
