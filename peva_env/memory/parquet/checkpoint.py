"""The Parquet folders of a memory: core tables in one, raw debug tables in the other."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from peva_env.errors import MemoryStoreError
from peva_env.memory import schema
from peva_env.memory.parquet.file_check import check_files, unchanged
from peva_env.memory.parquet.table_export import export_tables, one_file
from peva_env.memory.parquet.table_merge import Incoming, merge_tables
from peva_env.memory.store import DuckDBMemoryStore


class ParquetCheckpoint:
    """Exports the memory's tables to Parquet, and merges such folders into it.

    Args:
        store: a started store.
        core_dir: folder of the core tables, for export and preload; None leaves them out of ``export_all``.
        debug_dir: folder of the raw k6 summaries, likewise.
    """

    CORE_TABLES: ClassVar[tuple[str, ...]] = schema.CORE_TABLES
    DEBUG_TABLES: ClassVar[tuple[str, ...]] = schema.DEBUG_TABLES

    def __init__(
        self, store: DuckDBMemoryStore, *, core_dir: str | Path | None = None, debug_dir: str | Path | None = None
    ) -> None:
        self._database = store.database
        self.core_dir = Path(core_dir) if core_dir else None
        self.debug_dir = Path(debug_dir) if debug_dir else None

    def export_all(self) -> None:
        """Export the core tables, the debug tables, or both: those whose folder was given."""
        if self.core_dir:
            self.export_core()
        if self.debug_dir:
            self.export_debug()

    def export_core(self) -> None:
        """Write the core tables to ``core_dir``; each file replaces the older one only when it is complete."""
        export_tables(self._database.connection, self.CORE_TABLES, self._required(self.core_dir, "core_dir"))

    def export_debug(self) -> None:
        """Write the raw k6 summaries to ``debug_dir``, likewise."""
        export_tables(self._database.connection, self.DEBUG_TABLES, self._required(self.debug_dir, "debug_dir"))

    def preload_all(self, *, rename: bool = False, before_commit: Callable[[], None] = lambda: None) -> None:
        """Merge in the core tables, the debug tables, or both: those whose folder was given; all of them or none.

        Args:
            rename: give a campaign of the folders whose ``run_id`` another campaign of the memory has a longer one,
                instead of refusing it.
            before_commit: see ``merge_tables``.

        Raises:
            SchemaMismatchError: a folder is of another schema version, or a table's columns differ.
            MemoryStoreError: a file is missing, cannot be read, or is written meanwhile, the files are not of one
                export, or campaigns or measurements conflict.
        """
        folders = ((self.core_dir, self.CORE_TABLES), (self.debug_dir, self.DEBUG_TABLES))
        self._preload([(folder, tables) for folder, tables in folders if folder], rename, before_commit)

    def preload_core(self) -> None:
        """Merge the core tables of ``core_dir`` into the memory, see ``preload_all``."""
        self._preload([(self._required(self.core_dir, "core_dir"), self.CORE_TABLES)])

    def preload_debug(self) -> None:
        """Merge the raw k6 summaries of ``debug_dir`` into the memory, which must have their events."""
        self._preload([(self._required(self.debug_dir, "debug_dir"), self.DEBUG_TABLES)])

    def _required(self, folder: Path | None, name: str) -> Path:
        if folder is None:
            raise MemoryStoreError(f"no {name} was given to export to or preload from")
        return folder

    def _preload(
        self,
        folders: Sequence[tuple[Path, tuple[str, ...]]],
        rename: bool = False,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        if not folders:
            before_commit()
            return
        files = {table: folder / f"{table}.parquet" for folder, tables in folders for table in tables}
        origin = " and ".join(str(folder) for folder, _ in folders)
        sources = {table: f"read_parquet({one_file(path)})" for table, path in files.items()}
        with unchanged(files.values()) as require_unchanged:

            def last_checks() -> None:
                require_unchanged()
                before_commit()

            check_files(self._database.connection, files, self._database.schema_version)
            merge_tables(
                self._database,
                [Incoming(origin, sources)],
                purpose=f"preload {origin}",
                rename=rename,
                before_commit=last_checks,
            )
