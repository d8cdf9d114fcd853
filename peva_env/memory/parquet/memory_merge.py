"""Merging whole memories, such as those of several nodes, into one."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from peva_env.errors import ConfigError
from peva_env.memory.parquet.table_export import export_tables, one_file
from peva_env.memory.parquet.table_merge import MergeCount, merge_tables
from peva_env.memory.schema import TABLES
from peva_env.memory.snapshot import reading
from peva_env.memory.store import DuckDBMemoryStore


def merge_memories(store: DuckDBMemoryStore, paths: Iterable[str | Path]) -> dict[str, MergeCount]:
    """Merge other memories into a store: the newest row wins, and the order of the memories does not matter.

    Running campaigns may be writing to them: a snapshot of each is merged. Each is merged whole or not at all, and none
    before all have been read.

    Args:
        store: a started store.
        paths: the other memories.

    Returns:
        The counts of each table, summed over all memories.

    Raises:
        ConfigError: the store itself is among them.
        MemoryStoreError: one of them cannot be read, or the store cannot be written.
    """
    others = list(dict.fromkeys(Path(path).resolve() for path in paths))
    if Path(store.database.path).resolve() in others:
        raise ConfigError(f"memory {store.database.path}: cannot be merged into itself")
    with tempfile.TemporaryDirectory(prefix="peva-merge-") as folder:
        copies = [_copy(path, store, Path(folder) / str(i)) for i, path in enumerate(others)]
        counts = [
            merge_tables(store.database, sources, purpose=f"merge {path}")
            for path, sources in zip(others, copies, strict=True)
        ]
    return {table: _total(count[table] for count in counts) for table in TABLES}


def _copy(path: Path, store: DuckDBMemoryStore, folder: Path) -> Mapping[str, str]:
    """Export each table of a memory to a Parquet file; return the SQL relation that reads each."""
    with reading(path, store.database.schema_version) as connection:
        export_tables(connection, list(TABLES), folder)
    return {table: f"read_parquet({one_file(folder / f'{table}.parquet')})" for table in TABLES}


def _total(counts: Iterable[MergeCount]) -> MergeCount:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(inserted=count.inserted, updated=count.updated, kept=count.kept)
    return MergeCount(total["inserted"], total["updated"], total["kept"])
