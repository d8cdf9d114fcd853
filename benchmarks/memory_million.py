"""A memory of 10^4, 10^5 and 10^6 events: preload to ready arrays, export, ``is_seen``, minibatches, peak memory.

References: DuckDB's own ``INSERT ... SELECT`` from the same file into the same table, and its bare ``COPY``. Each side
runs in a process of its own, so that peak memory is its own, too. So does the making of the files: on Linux a child's
``ru_maxrss`` begins with what its parent held when it was started, so that the parent must stay small.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.synthetic_memory import write_folder
from benchmarks.timing import report
from peva_env.memory import TABLES, DuckDBMemoryStore, InProcessMemoryEngine, Session
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.space import ConfigKey

_SIZES = (10_000, 100_000, 1_000_000)
_REPEATS = 3
_CALLS = 20_000
_BATCH = 256

type Figures = dict[str, float]


def main() -> None:
    """Print the figures for each size."""
    for n_events in _SIZES:
        print(f"-- {n_events:,} events", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            _in_a_process("make", folder, str(n_events))
            _report(_best("bare", folder), _best("ours", folder))


def _report(bare: Figures, ours: Figures) -> None:
    loading = ("INSERT ... SELECT of the events", bare["load_s"])
    report("Parquet to ready tensor cache", ours["load_s"], "s", target="<= 2 x", reference=loading)
    report("  of which rebuilding the cache", ours["rebuild_s"], "s")
    report("export of the core tables", ours["export_s"], "s", target="<= 1.5 x", reference=("COPY", bare["export_s"]))
    peak = ("DuckDB alone", bare["peak_mb"])
    report("peak resident memory, loading", ours["peak_mb"], "MB", target="< 1200 MB", reference=peak)
    report("is_seen, keys not asked for lately", ours["is_seen_first_us"], "us", target="< 1 us")
    report("is_seen, the same keys again", ours["is_seen_us"], "us", target="< 1 us")
    report(f"minibatch of {_BATCH}", ours["minibatch_us"], "us", target="< 50 us")


def _best(side: str, folder: str) -> Figures:
    """Run a side some times, each in a process of its own, and return the least of each figure."""
    runs = []
    for _ in range(_REPEATS):
        with tempfile.TemporaryDirectory() as scratch:
            runs.append(_in_a_process(side, folder, scratch))
    return {name: min(run[name] for run in runs) for name in runs[0]}


def _in_a_process(task: str, *arguments: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.memory_million", task, *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(printed)
    return figures


def _make(folder: str, n_events: str) -> Figures:
    write_folder(Path(folder) / "core", int(n_events))
    return {}


def _bare(folder: str, scratch: str) -> Figures:
    connection = duckdb.connect(f"{scratch}/bare.duckdb")
    for name, table in TABLES.items():
        connection.execute(table.ddl(name))
    source, out = f"{folder}/core/execution_events.parquet", f"{scratch}/out.parquet"
    load_s = _seconds(lambda: connection.execute(f"INSERT INTO execution_events SELECT * FROM '{source}'"))
    peak_mb = _peak_mb()
    copy = f"COPY execution_events TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
    return {"load_s": load_s, "peak_mb": peak_mb, "export_s": _seconds(lambda: connection.execute(copy))}


def _ours(folder: str, scratch: str) -> Figures:
    store = DuckDBMemoryStore(f"{scratch}/memory.duckdb")
    engine = InProcessMemoryEngine(store, preload=ParquetCheckpoint(store, core_dir=f"{folder}/core"))
    load_s = _seconds(engine.startup)
    peak_mb = _peak_mb()
    rebuild_s = _seconds(lambda: engine.tensors.rebuild(store.database.connection))
    export_s = _seconds(ParquetCheckpoint(store, core_dir=f"{scratch}/out").export_core)
    rng = np.random.default_rng(0)
    return {
        "load_s": load_s,
        "rebuild_s": rebuild_s,
        "peak_mb": peak_mb,
        "export_s": export_s,
        "minibatch_us": _seconds(lambda: [engine.tensors.sample(_BATCH, rng) for _ in range(_CALLS)]) / _CALLS * 1e6,
        **_is_seen(engine),
    }


def _is_seen(engine: InProcessMemoryEngine) -> Figures:
    """Ask for keys spread over all configurations that the memory holds: when no cache has them yet, and then again."""
    query = "SELECT function_names, rates_rps FROM config_catalog USING SAMPLE reservoir(20000 ROWS) REPEATABLE (1)"
    rows = engine.store.database.connection.execute(query).fetchall()
    keys: list[ConfigKey] = [(tuple(names), tuple(rates)) for names, rates in rows]
    engine.open_session(Session("run0", 1, "context", {}))
    first, *again = (_seconds(lambda: [engine.is_seen(key) for key in keys]) / len(keys) * 1e6 for _ in range(5))
    assert all(map(engine.is_seen, keys))
    return {"is_seen_first_us": first, "is_seen_us": min(again)}


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    print(json.dumps({"make": _make, "bare": _bare, "ours": _ours}[task](*arguments)))
