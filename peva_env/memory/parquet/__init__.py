"""Parquet folders: export and merge of core and debug tables, one file a table, and recordings for replay.

What must always hold:

- Files are written under temporary names and renamed, so that a folder never holds half a table.
- Core and debug tables stand in separate folders.
- After a merge every event of every input is in the memory, bit for bit, or nothing has changed.
- Two campaigns are never one because they have one ``run_id``.
"""

from peva_env.memory.parquet.checkpoint import ParquetCheckpoint
from peva_env.memory.parquet.memory_merge import merge_memories
from peva_env.memory.parquet.recording import Recording, StoredEvents, load_recording
from peva_env.memory.parquet.table_export import export_tables, one_file, require_export_folder
from peva_env.memory.parquet.table_merge import Incoming, MergeCount, merge_tables

__all__ = [
    "Incoming",
    "MergeCount",
    "ParquetCheckpoint",
    "Recording",
    "StoredEvents",
    "export_tables",
    "load_recording",
    "merge_memories",
    "merge_tables",
    "one_file",
    "require_export_folder",
]
