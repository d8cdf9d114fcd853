"""The tensor cache: measured events as contiguous arrays for replay, policies and PyTorch, rebuilt from DuckDB.

Notation: ``n`` events, ``F`` functions known, ``d = 3 F + 4`` features.
"""

from collections.abc import Collection, Iterable
from typing import Any, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.memory.suspects import NOT_SUSPECT, suspect_runs
from peva_env.memory.tensors.event_arrays import (
    EVENT_QUERY,
    FUNCTION_QUANTITIES,
    RUN_QUANTITIES,
    Rows,
    config_number,
    rows_of_batch,
    rows_of_event,
)
from peva_env.memory.tensors.lookup import Codebook, SortedRows
from peva_env.space import Config, config_id

_FIRST_CAPACITY = 64
_BATCH_ROWS = 1 << 16
_LARGEST = float(np.finfo(np.float32).max)
_KEYS = {
    "label": np.int8,
    "config_id": np.int64,
    "iteration": np.int32,
    "repetition": np.int32,
    "run_code": np.int32,
    "context_code": np.int32,
}


class TensorCache:
    """Valid measured events as arrays with one row per event, in the order in which they came.

    Invalid and skipped events are not in it. Its arrays are views of the cache without a copy; later events do not
    change them. They are writeable only because ``torch.from_numpy`` requires it.

    Policies get it as ``PolicyContext.tensors``: ``row``, ``rows_of`` and the codes of runs and contexts are for them,
    nothing in this package calls these.
    """

    def __init__(self) -> None:
        self._size = 0
        self._functions: dict[str, int] = {}  # name -> column of its rate
        self._run_ids = Codebook()
        self._context_hashes = Codebook()
        self._keys: dict[str, NDArray[Any]] = {name: np.zeros(0, kind) for name, kind in _KEYS.items()}
        self._features = np.zeros((0, len(RUN_QUANTITIES)), np.float32)
        self._mask = np.zeros(self._features.shape, np.bool_)
        self._by_config = SortedRows()

    @classmethod
    def of(cls, events: Iterable[ExecutionEvent]) -> Self:
        """Return a cache of some events."""
        cache = cls()
        for event in events:
            cache.add(event)
        return cache

    def __len__(self) -> int:
        """Return the number of events."""
        return self._size

    @property
    def functions(self) -> tuple[str, ...]:
        """The ``F`` functions that were ever measured, sorted."""
        return tuple(self._functions)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The ``d`` columns of ``features``.

        ``rate_rps:NAME`` of each function, then ``success_rate:NAME``, then ``p95_ms:NAME``, then ``cpu_pct``,
        ``ram_pct``, ``margin`` and ``cost_s``. The first ``F`` are the configuration, the others its outcome.
        """
        of_functions = (f"{quantity}:{name}" for quantity in FUNCTION_QUANTITIES for name in self._functions)
        return (*of_functions, *RUN_QUANTITIES)

    @property
    def features(self) -> NDArray[np.float32]:
        """Configurations and outcomes, (n, d) C-contiguous; 0 where ``mask`` is false, never NaN or infinite."""
        return self._features[: self._size]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Whether a feature was measured, (n, d); for a rate, whether the function is in the configuration."""
        return self._mask[: self._size]

    @property
    def labels(self) -> NDArray[np.int8]:
        """Verdicts, (n,): -1 OK, 1 overloaded."""
        return self._keys["label"][: self._size]

    @property
    def config_ids(self) -> NDArray[np.int64]:
        """The configurations' ids as numbers, (n,)."""
        return self._keys["config_id"][: self._size]

    @property
    def iterations(self) -> NDArray[np.int32]:
        """Iterations, (n,)."""
        return self._keys["iteration"][: self._size]

    @property
    def repetitions(self) -> NDArray[np.int32]:
        """Repetitions, (n,)."""
        return self._keys["repetition"][: self._size]

    @property
    def run_codes(self) -> NDArray[np.int32]:
        """Positions in ``run_ids``, (n,)."""
        return self._keys["run_code"][: self._size]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The campaigns' run ids."""
        return tuple(self._run_ids)

    @property
    def context_codes(self) -> NDArray[np.int32]:
        """Positions in ``context_hashes``, (n,)."""
        return self._keys["context_code"][: self._size]

    @property
    def context_hashes(self) -> tuple[str, ...]:
        """The contexts' hashes."""
        return tuple(self._context_hashes)

    @classmethod
    def holding(cls, rows: Rows) -> Self:
        """Return a cache that holds these rows."""
        cache = cls()
        cache._append(rows)
        return cache

    def add(self, event: ExecutionEvent) -> None:
        """Append an event that is new to the memory; an event without a label is left out."""
        if event.is_valid:
            self._append(rows_of_event(event))

    def rebuild(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        leave_out: Collection[str] = (),
        then: Iterable[ExecutionEvent] = (),
    ) -> None:
        """Replace the contents by those of ``execution_events``, without suspect runs.

        Args:
            connection: the memory.
            leave_out: campaigns whose events are left out, by run_id.
            then: events to append instead.

        Raises:
            duckdb.Error: the table cannot be read; the cache is as it was.
        """
        fresh = TensorCache()
        try:
            query = f"{EVENT_QUERY} AND NOT list_contains(?::VARCHAR[], run_id) AND {NOT_SUSPECT}"
            parameters = [list(leave_out), suspect_runs(connection)]
            for batch in connection.sql(query, params=parameters).to_arrow_reader(_BATCH_ROWS):
                fresh._append(rows_of_batch(batch))
            for event in then:
                fresh.add(event)
        except OSError as error:  # Arrow's way to report that DuckDB failed
            raise duckdb.IOException(str(error)) from error
        vars(self).update(vars(fresh))

    def rows_of(self, config: Config) -> NDArray[np.int64]:
        """Return the rows of a configuration, oldest first; none if it was not measured."""
        return self._by_config.find(self.config_ids, config_number(config_id(config)))

    def row(self, event_key: tuple[str, int, int, str]) -> int:
        """Return the row of an event.

        Raises:
            KeyError: the cache has no such event.
        """
        config, iteration, repetition, run_id = event_key
        rows = self._by_config.find(self.config_ids, config_number(config))
        wanted = {"iteration": iteration, "repetition": repetition, "run_code": self._run_ids.code(run_id)}
        for name, value in wanted.items():
            rows = rows[self._keys[name][rows] == value]
        if not rows.size:
            raise KeyError(event_key)
        return int(rows[0])

    def sample(self, batch_size: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Draw events with replacement: copies of their features (batch_size, d) and labels (batch_size,).

        Raises:
            ValueError: the cache is empty.
        """
        if not self._size:
            raise ValueError("there is nothing to sample: the tensor cache is empty")
        rows = rng.integers(0, self._size, batch_size)
        return self._features.take(rows, axis=0), self._keys["label"].take(rows)

    def _append(self, rows: Rows) -> None:
        start, stop = self._size, self._size + len(rows.of_run)
        self._make_room(stop, rows.function.values)
        run_code, context_code = self._run_ids.encode(rows.run_id), self._context_hashes.encode(rows.context_hash)
        for name, values in {**rows.keys, "run_code": run_code, "context_code": context_code}.items():
            self._keys[name][start:stop] = values
        self._write(start, rows)
        self._size = stop

    def _write(self, start: int, rows: Rows) -> None:
        """Fill in the features of rows that are still blank."""
        n_functions = len(self._functions)
        rate_columns = np.array([self._functions[name] for name in rows.function.values], np.int64)[rows.function.codes]
        columns = rate_columns[:, None] + n_functions * np.arange(len(FUNCTION_QUANTITIES))
        owner = start + rows.owner[:, None]
        of_functions = rows.of_function[:, : len(FUNCTION_QUANTITIES)]
        self._features[owner, columns], self._mask[owner, columns] = _sentinel_and_mask(of_functions)
        of_run = slice(start, start + len(rows.of_run)), slice(n_functions * len(FUNCTION_QUANTITIES), None)
        self._features[of_run], self._mask[of_run] = _sentinel_and_mask(rows.of_run)

    def _make_room(self, size: int, functions: tuple[str, ...]) -> None:
        """Grow to ``size`` rows, at least to twice the capacity, and add columns for new functions."""
        capacity = len(self._features)
        if size > capacity:
            capacity = max(size, 2 * capacity, _FIRST_CAPACITY)
            self._keys = {name: _copied(column, (capacity,)) for name, column in self._keys.items()}
        names = self._functions
        if not names.keys() >= set(functions):
            names = {name: column for column, name in enumerate(sorted({*names, *functions}))}
        if capacity > len(self._features) or names is not self._functions:
            self._lay_out(capacity, names)

    def _lay_out(self, capacity: int, functions: dict[str, int]) -> None:
        old = self.feature_names
        self._functions = functions
        place = {name: column for column, name in enumerate(self.feature_names)}
        columns = np.array([place[name] for name in old])
        shape = capacity, len(place)
        self._features, self._mask = _copied(self._features, shape, columns), _copied(self._mask, shape, columns)


def _copied(old: NDArray[Any], shape: tuple[int, ...], columns: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Return zeros of a shape, with an array in its first rows, and in these columns."""
    new = np.zeros(shape, old.dtype)
    rows = slice(None, len(old))
    new[rows if columns is None else (rows, columns)] = old
    return new


def _sentinel_and_mask(values: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return values as finite float32 with 0 for NaN, and where they are not NaN."""
    measured = ~np.isnan(values)
    return np.where(measured, values, 0).clip(-_LARGEST, _LARGEST).astype(np.float32), measured
