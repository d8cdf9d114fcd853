"""The DuckDB file itself: opened by one process, checked against the schema, written in transactions."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from itertools import count

import duckdb

from peva_env import __version__
from peva_env.errors import MemoryStoreError, SchemaMismatchError
from peva_env.memory import existing_file, file_locks
from peva_env.memory.connecting import connect_duckdb
from peva_env.memory.duckdb_errors import ANOTHER_FILE, duckdb_problem, naming
from peva_env.memory.file_locks import Identity
from peva_env.memory.inserts import insert
from peva_env.memory.schema import TABLES
from peva_env.memory.schema_check import inspect_database
from peva_env.system import local_path, raise_end, uninterrupted

_ATTEMPTS = 20

_NUMBERS = count()

_NOWHERE = (-1, -1)
"""The identity of a file that is gone, or of a log that was not yet seen."""


class Database:
    """One DuckDB file with the memory's tables and nothing else.

    Args:
        path: the file, or ``:memory:``.
        schema_version: the label that it must carry.
        shown_as: the path in error messages, if ``path`` is a temporary copy.

    Raises:
        MemoryStoreError: the path is empty or a URL.
    """

    def __init__(self, path: str, schema_version: str, *, shown_as: str | None = None) -> None:
        self.path = shown_as or path
        try:
            # Absolute, because DuckDB gives a meaning of its own to `~/m.duckdb` and `file:m`.
            self._named = path if path == ":memory:" else str(local_path(path).absolute())
        except ValueError as error:
            raise MemoryStoreError(f"memory {path!r}: {error}") from error
        self._file = self._named
        self.schema_version = schema_version
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._identity: Identity | None = None
        self._log: Identity | None = _NOWHERE
        self._is_new = self._was_empty = False
        self._process = os.getpid()
        self._threads_wait = threading.RLock()
        self._in_transaction = False

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called, and ``close`` has not."""
        return self._connection is not None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The open connection.

        Raises:
            MemoryStoreError: the file is not open, or was opened before this process was forked.
        """
        if self._connection is None:
            raise MemoryStoreError(f"memory {self.path} is not open: call startup() first")
        if self._process != os.getpid():
            raise MemoryStoreError(
                f"memory {self.path}: was opened by the process from which this one was forked, and is open there; "
                "close it before the fork, or let that process read and write"
            )
        return self._connection

    def require_place(self) -> None:
        """Check that ``open`` can begin a memory where there is no file, as far as that shows without making one.

        Raises:
            MemoryStoreError: its name is that of a log, or there is a log of a memory that is gone.
        """
        existing_file.require_place(os.path.realpath(self._named), self.path)

    def open(self) -> None:
        """Open the file, or create it, and check its schema.

        A file beside which a killed process left a log is first checked read-only: opening a foreign file for writing
        would already change it, because DuckDB then replays the log. Without a log DuckDB changes nothing.

        Raises:
            MemoryStoreError: the file cannot be opened, is locked by another process, or is not a DuckDB database.
            SchemaMismatchError: label, tables, columns or types differ; the file is left as it was.
        """
        if self.is_open:
            return
        if self._named != ":memory:":
            # DuckDB puts the log beside a link or beside the file that it names, as its version and the file may be.
            self._file = os.path.realpath(self._named)
            existing_file.make_folder(self._file, self.path)
        self._process = os.getpid()
        for _ in range(_ATTEMPTS):
            with ExitStack() as resources:
                begins = self._file == ":memory:" or existing_file.is_to_begin(self._file)
                is_alone = False
                if begins:
                    is_alone = resources.enter_context(self._alone())
                    resources.enter_context(uninterrupted())
                resources.enter_context(file_locks.looking(self._file))  # until it is known to be open
                if self._open(begins, is_alone):
                    return
        raise MemoryStoreError(f"memory {self.path}: other processes remove or replace it again and again")

    def _open(self, begins: bool, is_alone: bool) -> bool:
        """Open the file, or begin one, and tell whether it is then the one at its path."""
        self._identity, self._log = None, _NOWHERE
        self._is_new, self._was_empty = False, begins and existing_file.is_empty(self._file)
        is_there = self._file != ":memory:" and existing_file.is_database(self._file, self.path, begins)
        before = file_locks.identity(self._file)
        if not (is_there or begins):
            return False
        try:
            self._connect_checked(is_there, before)
        except BaseException as error:
            self.discard()
            if isinstance(error, MemoryStoreError) and is_there and file_locks.identity(self._file) != before:
                return False  # it was removed meanwhile
            if is_alone and not is_there and existing_file.is_without_data(self._file):
                file_locks.remove_unused(self._file, leave_empty=self._was_empty)
            raise
        if not self._is_at_its_path:
            self.close()
            return False
        if self._file != ":memory:":
            file_locks.opened(self._file, self.connection)
        return True

    def _connect_checked(self, is_there: bool, before: Identity | None) -> None:
        """Connect, check what is there, and make the tables of a new memory.

        A file that was removed while DuckDB opened it is only connected to: a log of it would be taken for that of the
        next one. From here on nobody else removes it, because this process has DuckDB's lock.
        """
        is_checked_apart = is_there and existing_file.may_be_replayed(self._file)
        is_memory = is_checked_apart and self._is_memory_apart()
        self._connection = self._connect(read_only=False)
        if self._file != ":memory:":
            self._identity = (before if is_there else file_locks.identity(self._file)) or _NOWHERE
        if not self._is_at_its_path:
            return
        # Also where there was no file: another process may have made it since, unless there is nothing in it.
        is_empty = not is_there and (self._file == ":memory:" or existing_file.is_without_data(self._file))
        if not (is_checked_apart or is_empty):
            is_memory = self._inspect(self._connection)
        if not is_memory:
            self._is_new = not is_there and self._file != ":memory:"
            self._create_tables()

    def _is_memory_apart(self) -> bool:
        """Tell the same as ``_inspect``, by a connection that changes nothing."""
        with closing(self._connect(read_only=True)) as reader:
            return self._inspect(reader)

    def _inspect(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Tell whether the file that a connection has open is a memory; raise if it is anything else but empty."""
        with closing(connection.cursor()) as cursor, naming(self.path):
            found = inspect_database(cursor, TABLES)
        if found.difference:
            raise SchemaMismatchError(
                f"memory {self.path}: not of schema_version {self.schema_version!r}: {found.difference}; "
                "nothing was changed"
            )
        if not found.is_empty:
            self.check_label(found.label)
        return not found.is_empty

    def close(self) -> None:
        """Fold the log into the file and close it; may be called twice, and in a process that was forked since.

        If the log is no longer at its path, it is left as it is: what lies there is of another memory.
        """
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        if self._process != os.getpid():
            return  # see file_locks
        if self._is_at_its_path or self._log == self._log_at_its_path():
            with suppress(duckdb.Error):  # refused in a transaction that failed: the log stays then, as after a kill
                connection.execute("PRAGMA enable_checkpoint_on_shutdown")
        connection.close()
        file_locks.closed(connection)

    def discard(self) -> None:
        """Close the file. If ``open`` has begun it, nothing of it is left, or an empty file where one was."""
        if self._is_new and self._connection is not None and self._process == os.getpid() and self._is_at_its_path:
            with uninterrupted():
                file_locks.remove_open(self._file, leave_empty=self._was_empty)
                self._log = _NOWHERE
        self.close()

    def _log_at_its_path(self) -> Identity | None:
        return file_locks.identity(f"{self._file}.wal")

    @property
    def _is_at_its_path(self) -> bool:
        """Whether the file that was opened has not been deleted, moved or replaced since."""
        return self._identity is None or file_locks.identity(self._file) == self._identity

    def _alone(self) -> AbstractContextManager[bool]:
        return nullcontext(True) if self._file == ":memory:" else file_locks.alone_in_folder(self._file)

    def label(self) -> str:
        """Return the schema label that the file carries."""
        row = self.connection.execute("SELECT schema_version FROM memory_schema_meta").fetchone()
        return str(row[0]) if row else ""

    def check_label(self, schema_version: str) -> None:
        """Raise ``SchemaMismatchError`` unless a label is the one that this file was opened for."""
        if schema_version != self.schema_version:
            raise SchemaMismatchError(
                f"memory {self.path}: schema_version is {schema_version!r}, but {self.schema_version!r} is asked for; "
                f"{ANOTHER_FILE}, or use the version that wrote this file"
            )

    @contextmanager
    def transaction(self, purpose: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run a block as one transaction: on disk when the block is left, undone when it raises.

        All threads share the connection, and it has one transaction at a time: another thread waits for the end of it.

        Raises:
            MemoryStoreError: DuckDB refused, and the message names the purpose; or the file is no longer there; or this
                thread is in a transaction already, which goes on.
            KeyboardInterrupt: Ctrl-C came during a query.
        """
        connection = self.connection
        with self._threads_wait:
            if self._in_transaction:
                raise MemoryStoreError(
                    f"memory {self.path}: cannot {purpose} within another transaction; end that first"
                )
            self._in_transaction = True
            try:
                connection.begin()
                yield connection
                connection.commit()
                if self._is_at_its_path or self._log is None:  # where there was none, DuckDB has just made one
                    self._log = self._log_at_its_path()
                self._require_file()
            except BaseException as error:
                _roll_back(connection)
                raise_end(error)
                if isinstance(error, duckdb.Error):
                    raise MemoryStoreError(f"memory {self.path}: cannot {purpose}: {duckdb_problem(error)}") from error
                raise
            finally:
                self._in_transaction = False

    def _require_file(self) -> None:
        # DuckDB keeps writing to a deleted file, and all of it is lost when the file is closed.
        if not self._is_at_its_path:
            raise MemoryStoreError(
                f"memory {self.path}: it was deleted, moved or replaced while it was in use, so that nothing more can "
                "be stored; put it back, or start again with a new memory"
            )

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        # Connections of one process share a database if all their settings are alike, and there shall be one writer.
        alone = {"custom_user_agent": f"peva-env {next(_NUMBERS)}"}
        with naming(self.path):
            connection = connect_duckdb(self._file, read_only, alone)
            # DuckDB folds the log into the file when it closes it, and removes the log at the path, be it that of
            # another memory that now lies there. Who ends without ``close``, also a fork, leaves both as they are.
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            return connection

    def _create_tables(self) -> None:
        with self.transaction("make the tables") as connection:
            for name, table in TABLES.items():
                connection.execute(table.ddl(name))
            insert(
                connection,
                "memory_schema_meta",
                {"schema_version": self.schema_version, "created_at": time.time(), "package_version": __version__},
            )


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:
        return  # begin or commit failed: there is no transaction left to roll back
