"""Events as rows of the tensor cache: one at a time, or from Arrow batches without a Python loop per row.

Notation: ``n`` events; ``m`` measurements of single functions in them (an event of two functions has two);
``owner[j]`` the event of the ``j``-th measurement. NaN stands for "not measured".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import EventKind, ExecutionEvent, Verdict

type ArrowBatch = Any  # pyarrow.RecordBatch and pyarrow.Array: pyarrow has no type hints
type ArrowArray = Any

FUNCTION_QUANTITIES = ("rate_rps", "success_rate", "p95_ms")
"""Columns of each function in the tensor cache."""

RECORDED_QUANTITIES = (*FUNCTION_QUANTITIES, "mean_ms")
"""Columns of each function in ``Rows``."""

RUN_QUANTITIES = ("cpu_pct", "ram_pct", "margin", "cost_s")
"""Columns of a run as a whole."""

OK_LABEL, OVERLOADED_LABEL = -1, 1

EVENT_QUERY = f"""
    SELECT ('0x' || config_id)::BIGINT AS config_id, iteration, repetition, run_id, context_hash,
        if(verdict = '{Verdict.OVERLOADED}', {OVERLOADED_LABEL}, {OK_LABEL})::TINYINT AS label,
        function_names, rates_rps AS rate_rps,
        list_resize(success_rate, len(function_names)) AS success_rate,
        list_resize(p95_ms, len(function_names)) AS p95_ms,
        list_resize(coalesce(mean_ms, []), len(function_names)) AS mean_ms,
        {", ".join(RUN_QUANTITIES)}
    FROM execution_events WHERE kind = '{EventKind.MEASURED}' AND verdict <> '{Verdict.INVALID}'
"""  # noqa: S608
"""Valid measured events, in the order in which they were stored."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Strings as numbers: ``values[codes[i]]`` is the ``i``-th of them; ``values`` are in order of appearance."""

    codes: NDArray[np.int64]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some events, column by column."""

    keys: dict[str, NDArray[Any]]  # config_id int64, iteration and repetition int32, label int8; each (n,)
    run_id: Coded  # (n,)
    context_hash: Coded  # (n,)
    owner: NDArray[np.int64]  # (m,)
    function: Coded  # (m,)
    of_function: NDArray[np.float64]  # (m, len(RECORDED_QUANTITIES))
    of_run: NDArray[np.float64]  # (n, len(RUN_QUANTITIES))


def rows_of_event(event: ExecutionEvent) -> Rows:
    """Return the one row of an event."""
    names, rates = event.config_key
    absent: list[float | None] = [None] * len(names)
    success_rate = [function.success_rate for function in event.functions] or absent
    p95_ms = [function.p95_ms for function in event.functions] or absent
    mean_ms = [function.mean_ms for function in event.functions] or absent
    of_run = (event.node.cpu_pct, event.node.ram_pct, event.margin, event.cost_s)
    label = OVERLOADED_LABEL if event.verdict is Verdict.OVERLOADED else OK_LABEL
    return Rows(
        keys={
            "config_id": np.array([config_number(event.config_id)], np.int64),
            "iteration": np.array([event.iteration], np.int32),
            "repetition": np.array([event.repetition], np.int32),
            "label": np.array([label], np.int8),
        },
        run_id=Coded(np.zeros(1, np.int64), (event.run_id,)),
        context_hash=Coded(np.zeros(1, np.int64), (event.context_hash,)),
        owner=np.zeros(len(names), np.int64),
        function=Coded(np.arange(len(names)), names),
        of_function=np.array([rates, success_rate, p95_ms, mean_ms], np.float64).T,
        of_run=np.array([of_run], np.float64),
    )


def rows_of_batch(batch: ArrowBatch) -> Rows:
    """Return the rows of a batch of ``EVENT_QUERY``."""
    names = batch.column("function_names")
    lengths = _numbers(names.value_lengths())
    return Rows(
        keys={name: _numbers(batch.column(name)) for name in ("config_id", "iteration", "repetition", "label")},
        run_id=_coded(batch.column("run_id")),
        context_hash=_coded(batch.column("context_hash")),
        owner=np.repeat(np.arange(batch.num_rows), lengths),
        function=_coded(names.flatten()),
        of_function=_matrix([batch.column(name).flatten() for name in RECORDED_QUANTITIES]),
        of_run=_matrix([batch.column(name) for name in RUN_QUANTITIES]),
    )


def config_number(config_id: str) -> int:
    """Return a configuration's id, 12 hexadecimal digits, as a number below 2^48."""
    return int(config_id, 16)


def _matrix(columns: list[ArrowArray]) -> NDArray[np.float64]:
    return np.stack([_numbers(column).astype(np.float64) for column in columns], axis=1)


def _numbers(column: ArrowArray) -> NDArray[Any]:
    """Return a column of numbers; where it holds nulls, as floats with NaN in their place."""
    numbers: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return numbers


def _coded(column: ArrowArray) -> Coded:
    encoded = column.dictionary_encode()
    return Coded(_numbers(encoded.indices).astype(np.int64), tuple(encoded.dictionary.to_pylist()))
