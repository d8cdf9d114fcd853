"""Merging whole memories, such as those of several nodes, into one."""

import os
from collections.abc import Iterable
from pathlib import Path

from peva_env.errors import ConfigError
from peva_env.memory.parquet.table_export import export_tables, one_file
from peva_env.memory.parquet.table_merge import Incoming, MergeCount, merge_tables
from peva_env.memory.schema import TABLES
from peva_env.memory.snapshot import reading
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.system import processes


def merge_memories(
    store: DuckDBMemoryStore, paths: Iterable[str | Path], *, rename: bool = False
) -> dict[str, MergeCount]:
    """Merge other memories into a store: all of them or none. The order of the memories does not matter.

    Running campaigns may be writing to them: a snapshot of each is merged.

    Args:
        store: a started store.
        paths: the other memories.
        rename: see ``merge_tables``.

    Returns:
        The counts of each table, summed over all memories.

    Raises:
        ConfigError: the store itself is among them.
        MemoryStoreError: one of them cannot be read, campaigns or measurements conflict (see ``merge_tables``), or the
            store cannot be written; nothing is changed.
    """
    others = list(dict.fromkeys(Path(os.path.realpath(path)) for path in paths))
    if Path(os.path.realpath(store.database.path)) in others:
        raise ConfigError(f"memory {store.database.path}: cannot be merged into itself")
    with processes.temporary_folder("peva-merge-") as folder:
        copies = [_copy(path, store, folder / str(i)) for i, path in enumerate(others)]
        return merge_tables(store.database, copies, purpose=f"merge {', '.join(map(str, others))}", rename=rename)


def _copy(path: Path, store: DuckDBMemoryStore, folder: Path) -> Incoming:
    """Export each table of a memory to a Parquet file; return the SQL relation that reads each."""
    with reading(path, store.database.schema_version) as connection:
        export_tables(connection, list(TABLES), folder)
    return Incoming(str(path), {table: f"read_parquet({one_file(folder / f'{table}.parquet')})" for table in TABLES})
