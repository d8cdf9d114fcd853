"""Importing any table of runs as campaigns of a memory."""

from collections.abc import Callable, Iterable
from pathlib import Path

from peva_env.config import OverloadConfig
from peva_env.memory.importing import ImportReport, import_recordings, read_csv, unique_paths
from peva_env.memory.store import DuckDBMemoryStore
from peva_env.memory.table.mapping import TableMap
from peva_env.memory.table.rows import read_recording, require_node


def import_table(
    store: DuckDBMemoryStore,
    paths: Iterable[str | Path],
    *,
    table: TableMap,
    node: str,
    duration_s: float,
    rules: OverloadConfig | None = None,
    progress: Callable[[Path], None] = lambda _: None,
) -> ImportReport:
    """Import tables of one node, of which each row is a run, all or nothing; repeating an import changes nothing.

    Args:
        store: a started store.
        paths: the files, in any order; ``-`` is the standard input.
        table: which column holds what.
        node: name of the node that was measured.
        duration_s: length of a run in seconds.
        rules: the overload rules; the default ones if not given.
        progress: called with each file that has been read.

    Raises:
        ConfigError: an argument is out of range, a column is missing, or two files would be the same campaign.
        MemoryStoreError: a file cannot be read, or lacks runs of its campaign in the memory, or has other values of
            them, or the memory cannot be written; nothing is changed.
    """
    rules = rules or OverloadConfig()
    require_node(table, rules)
    return import_recordings(
        store,
        (read_recording(read_csv(path), table, duration_s) for path in unique_paths(paths)),
        node={"name": node},
        duration_s=duration_s,
        rules=rules,
        progress=progress,
    )
