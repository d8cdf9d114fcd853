"""The memory that a command writes to."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from peva_env.errors import MemoryStoreError
from peva_env.memory import DuckDBMemoryStore, advising, writing


@contextmanager
def written_memory(path: Path, schema_version: str, *, named: str) -> Iterator[DuckDBMemoryStore]:
    """Open a memory for a block, see ``peva_env.memory.writing``; ``named`` is the option or argument of its path.

    Raises:
        MemoryPathError: something else stands at its path; the advice names the option or argument.
        MemoryStoreError: likewise, where another process has it open.
    """
    with ExitStack() as resources:
        try:
            store = resources.enter_context(writing(path, schema_version))
        except MemoryStoreError as error:
            kind = type(error)
            raise kind(advising(error, f"choose another {named}"), is_temporary=error.is_temporary) from error
        yield store
