"""Recordings: core Parquet folders of memories as arrays, without a database in between."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from peva_env.config import AskedRules, OverloadConfig, changed_rules
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory.event_rows import EVENT_COLUMNS, event_from_record, stream_events
from peva_env.memory.parquet.recording_files import (
    BY_KEY,
    VALID,
    open_checked,
    open_recording,
    recording_title,
)
from peva_env.memory.session_rules import LAST_S, SessionRules, rules_in, session_rules
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION
from peva_env.memory.tensors import EVENT_QUERY, RUN_QUANTITIES, Codebook, Coded, Rows, rows_of_batch
from peva_env.rules import judge_again

type ArrowArray = Any  # pyarrow has no type hints
type Contexts = Mapping[str, Mapping[str, Any]]
"""The context of each hash; empty if no session holds it."""

_BATCH_ROWS = 1 << 16
_MARGIN = RUN_QUANTITIES.index("margin")
_LABELS = {Verdict.OK: -1, Verdict.OVERLOADED: 1, Verdict.INVALID: 0}


@dataclass(frozen=True, slots=True)
class Recording:
    """The valid measured events of one or more folders, in the order of their keys, and their contexts.

    ``contexts`` has the context of each hash, with the rules of its last campaign; empty if no session holds it.
    ``rules`` are the rules that judge the rows, see ``judged``.
    """

    folders: tuple[Path, ...]
    rows: Rows
    contexts: Contexts
    sessions: Mapping[str, SessionRules]
    rules: AskedRules = None

    @property
    def title(self) -> str:
        """The folders as error messages name them."""
        return recording_title(self.folders)

    def judged(self, rules: AskedRules = None) -> "Recording":
        """Return the recording as some rules judge it: with other labels and margins.

        The label is 0 where the rules need what was not measured.

        Args:
            rules: the rules, or what differs from those of the last campaign of each context; None for the rules of the
                last campaign.

        Raises:
            ConfigError: a rule is wrong.
            MemoryStoreError: the folders have changed since they were loaded.
        """
        runs, contexts = self.rows.run_id, self.rows.context_hash
        pairs = set(zip(runs.codes.tolist(), contexts.codes.tolist(), strict=True))
        named = ((runs.values[run], contexts.values[context]) for run, context in pairs)
        others = {pair: other for pair in named if (other := self._other_rules(*pair, rules))}
        if not others:
            return replace(self, rules=rules)
        labels, of_run, row = self.rows.keys["label"].astype(np.int8), self.rows.of_run.copy(), -1
        with open_recording(self.folders) as connection:
            for row, event in enumerate(stream_events(connection, f"{VALID} {BY_KEY}")):
                other = others.get((event.run_id, event.context_hash))
                if other and row < len(labels):
                    now = judge_again(event, *other)
                    labels[row] = _LABELS[now.verdict]
                    of_run[row, _MARGIN] = math.nan if now.margin is None else now.margin
        self._require_rows(row + 1, len(labels))
        rows = replace(self.rows, keys={**self.rows.keys, "label": labels}, of_run=of_run)
        return replace(self, rows=rows, rules=rules)

    def judge(self, event: ExecutionEvent) -> ExecutionEvent:
        """Return an event of this recording as the rules of the recording judge it."""
        other = self._other_rules(event.run_id, event.context_hash, self.rules)
        return judge_again(event, *other) if other else event

    def _other_rules(self, run_id: str, context_hash: str, asked: AskedRules) -> SessionRules | None:
        """Return the rules that judge the runs of a campaign, and its duration; None if its own rules do."""
        last, own = rules_in(self.contexts.get(context_hash, {})), self.sessions.get(run_id)
        if asked is None and last is None:
            return None
        rules = changed_rules(last.overload if last else OverloadConfig(), asked)
        if own and own.overload.as_context() == rules.as_context():
            return None
        return SessionRules(rules, own.duration_s if own else math.nan)

    def _require_rows(self, found: int, expected: int) -> None:
        if found != expected:
            raise MemoryStoreError(f"recording {self.title}: it has changed since it was loaded; load it again")

    def stored(self, context_hash: str) -> "StoredEvents":
        """Read all columns of the events of a context.

        Raises:
            MemoryStoreError: the folders have changed since they were loaded.
        """
        query = f"SELECT {', '.join(EVENT_COLUMNS)} FROM execution_events WHERE {VALID} AND context_hash = $1 {BY_KEY}"  # noqa: S608
        with open_recording(self.folders) as connection:
            table = connection.sql(query, params=[context_hash]).to_arrow_table()
        codes = self.rows.context_hash
        rows = np.flatnonzero(codes.codes == codes.values.index(context_hash))
        self._require_rows(table.num_rows, len(rows))
        return StoredEvents({name: table.column(name).combine_chunks() for name in table.column_names}, rows)


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """All columns of the events of a context, as Arrow arrays; each event is built when it is asked for.

    It is built value by value, which costs a third of slicing the table.
    """

    columns: Mapping[str, ArrowArray]
    rows: NDArray[np.int64]  # the recording's row of each

    def event(self, row: int) -> ExecutionEvent:
        """Return the event of a row of the recording.

        Raises:
            MemoryStoreError: the row is not one that a memory writes.
        """
        place = int(self.rows.searchsorted(row))
        record = {name: column[place].as_py() for name, column in self.columns.items()}
        return event_from_record(record | {"failed": [dict(kinds) for kinds in record["failed"]]})


def load_recording(
    folders: str | Path | Sequence[str | Path], *, schema_version: str = DEFAULT_SCHEMA_VERSION
) -> Recording:
    """Read core Parquet folders, as ``peva-env memory export`` writes them; their order does not matter.

    Raises:
        ConfigError: there is no such folder, it holds no recording, or no valid measured event is in it.
        SchemaMismatchError: a file is of another schema version, or its columns differ.
        MemoryStoreError: a file cannot be read, needs more memory than is free, or holds impossible events; or the
            files of a folder are not of one export.
    """
    given = [folders] if isinstance(folders, str | Path) else folders
    paths = tuple(sorted({os.path.realpath(folder): Path(folder) for folder in given}.values()))
    if not paths:
        raise ConfigError("no recording is named; `peva-env memory export MEMORY --core FOLDER` writes one")
    with open_checked(paths, schema_version) as connection:
        batches = connection.sql(f"{EVENT_QUERY} {BY_KEY}").to_arrow_reader(_BATCH_ROWS)
        parts = [rows_of_batch(batch) for batch in batches if batch.num_rows]
        contexts, sessions = _contexts(connection, paths), session_rules(connection)
    if not parts:
        raise ConfigError(
            f"recording {recording_title(paths)}: it has no valid measured event; `peva-env run` measures some"
        )
    return Recording(paths, _joined(parts), contexts, sessions)


def _contexts(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Contexts:
    sessions = f"SELECT *, {LAST_S} AS last_s FROM run_sessions s"  # noqa: S608
    query = f"SELECT context_hash, arg_max(context_json, (last_s, run_id)) FROM ({sessions}) GROUP BY ALL"  # noqa: S608
    contexts = {}
    for name, text in connection.execute(query).fetchall():
        try:
            context = json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            raise MemoryStoreError(f"recording {recording_title(paths)}: context {name} is no JSON") from error
        contexts[str(name)] = dict(context) if isinstance(context, dict) else {}
    return contexts


def _joined(parts: Sequence[Rows]) -> Rows:
    n_before = np.cumsum([0, *(len(part.of_run) for part in parts)])
    return Rows(
        keys={name: np.concatenate([part.keys[name] for part in parts]) for name in parts[0].keys},
        run_id=_coded([part.run_id for part in parts]),
        context_hash=_coded([part.context_hash for part in parts]),
        owner=np.concatenate([part.owner + before for part, before in zip(parts, n_before, strict=False)]),
        function=_coded([part.function for part in parts]),
        of_function=np.concatenate([part.of_function for part in parts]),
        of_run=np.concatenate([part.of_run for part in parts]),
    )


def _coded(parts: Sequence[Coded]) -> Coded:
    book = Codebook()
    codes = np.concatenate([book.encode(part) for part in parts])
    return Coded(codes, tuple(book))
