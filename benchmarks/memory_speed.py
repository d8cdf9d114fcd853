"""What a durable event costs. Reference: DuckDB's own autocommit insert of the same columns."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb

from benchmarks.timing import best_of, report
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.memory import EVENT_COLUMNS, TABLES, DuckDBMemoryStore, InProcessMemoryEngine, event_row

_EVENTS = 200


def main() -> None:
    """Print the figures of the memory."""
    with tempfile.TemporaryDirectory() as folder:
        bare = duckdb.connect(str(Path(folder) / "bare.duckdb"))
        bare.execute(TABLES["execution_events"].ddl("execution_events"))
        engine = InProcessMemoryEngine(DuckDBMemoryStore(Path(folder) / "memory.duckdb"))
        engine.startup()
        numbers = iter(range(10**9))
        statement = f"INSERT INTO execution_events VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"
        bare_s = best_of(lambda: [bare.execute(statement, event_row(_event(next(numbers)))) for _ in range(_EVENTS)])
        ours_s = best_of(lambda: _ingest(engine, numbers))
        engine.close()
        bare.close()
    reference = ("bare autocommit insert", bare_s / _EVENTS * 1e3)
    report("one durable event, ingested", ours_s / _EVENTS * 1e3, "ms", target="<= 1.5 x", reference=reference)


def _ingest(engine: InProcessMemoryEngine, numbers: Iterator[int]) -> None:
    for _ in range(_EVENTS):
        engine.ingest_event(_event(next(numbers)))


def _event(number: int) -> ExecutionEvent:
    return replace(_TEMPLATE, iteration=number)


_TEMPLATE = ExecutionEvent(
    config_key=(("checkout", "fetch"), (80, 40)),
    iteration=0,
    verdict=Verdict.OK,
    run_id="benchmark",
    margin=0.05,
    functions=tuple(
        FunctionMeasurement(name, rate, rate, rate, 0, rate, {}, 1.0, 52.0, 51.0, 53.0, 54.0, 55.0, 2.0, 45_000_000)
        for name, rate in (("checkout", 80), ("fetch", 40))
    ),
    node=NodeMeasurement(cpu_pct=9.0, ram_bytes=90_000_000, ram_pct=0.4),
    context_hash="c",
)
