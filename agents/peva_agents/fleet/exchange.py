"""Tables of a memory as bytes, to send them from one machine to another."""

from collections.abc import Sequence
from pathlib import Path

from peva_env.memory import CORE_TABLES, DEBUG_TABLES, DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint, export_tables
from peva_env.system import processes

type Tables = dict[str, bytes]
"""Parquet files by the name of their table; none where there is no campaign."""


def packed(store: DuckDBMemoryStore, run_ids: Sequence[str] | None = None) -> Tables:
    """Return the tables of a started store, with these campaigns alone or with all.

    Raises:
        MemoryStoreError: they cannot be read.
    """
    if run_ids is not None and not run_ids:
        return {}
    with processes.temporary_folder("peva-fleet-") as folder:
        export_tables(store.database.connection, [*CORE_TABLES, *DEBUG_TABLES], folder, run_ids=run_ids)
        return {path.stem: path.read_bytes() for path in folder.iterdir()}


def merge(store: DuckDBMemoryStore, tables: Tables) -> None:
    """Merge tables into a started store, in one transaction; twice is once.

    Raises:
        MemoryStoreError: campaigns or measurements conflict.
    """
    if not tables:
        return
    with processes.temporary_folder("peva-fleet-") as folder:
        folders = {part: folder / part for part in ("core", "debug")}
        for part, names in (("core", CORE_TABLES), ("debug", DEBUG_TABLES)):
            _write(folders[part], {name: tables[name] for name in names})
        ParquetCheckpoint(store, core_dir=folders["core"], debug_dir=folders["debug"]).preload_all()


def _write(folder: Path, tables: Tables) -> None:
    folder.mkdir()
    for name, content in tables.items():
        (folder / f"{name}.parquet").write_bytes(content)
