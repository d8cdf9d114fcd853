"""Replay of 10^6 recorded events: Parquet to the first outcomes, and outcomes of many episodes and of one.

References: DuckDB's own reading of the same columns of the same file into Arrow, and the hashes that decide the draws.
Each load runs in a process of its own, so that peak memory is its own, too; so does the making of the files.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.synthetic_memory import write_folder
from benchmarks.timing import best_of, report
from peva_env.memory.tensors import EVENT_QUERY
from peva_env.sources import uniforms
from peva_env.sources.replay import ReplayWorld

_EVENTS = 1_000_000
_EPISODES = 1024
_MAP = 21**3
"""Configurations of three functions at 21 rates each."""

_REPEATS = 3
_CALLS = 300

type Figures = dict[str, float]


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        _in_a_process("make", folder)
        bare, ours = ([_in_a_process(side, folder) for _ in range(_REPEATS)] for side in ("bare", "ours"))
    read = ("DuckDB reading the columns", min(run["load_s"] for run in bare))
    best = {name: min(run[name] for run in ours) for name in ours[0]}
    hashes = ("their hashes", best["hashes_us"])
    report("10^6 events of Parquet to first outcomes", best["load_s"], "s", target="< 5 s", reference=read)
    report("  peak resident memory", best["peak_mb"], "MB")
    report(f"outcomes of {_EPISODES} episodes", best["many_us"], "us", target="<= 60 us", reference=hashes)
    report(f"outcomes of one episode, {_MAP:,} configurations", best["one_us"], "us", target="< 1000 us")


def _in_a_process(task: str, folder: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.replay_speed", task, folder]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(printed)
    return figures


def _make(folder: Path) -> Figures:
    write_folder(folder, _EVENTS)
    return {}


def _bare(folder: Path) -> Figures:
    started = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW execution_events AS FROM '{folder}/execution_events.parquet'")
        connection.sql(EVENT_QUERY).to_arrow_table()
    return {"load_s": time.perf_counter() - started}


def _ours(folder: Path) -> Figures:
    started = time.perf_counter()
    world = ReplayWorld(folder)
    one = world.begin(np.array([1], np.uint64), np.array([0]))
    one.outcomes(np.array([0]))
    load_s = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, 2**63, _EPISODES, dtype=np.uint64)
    many, indices = world.begin(seeds, np.zeros(_EPISODES, np.int64)), rng.integers(0, _EVENTS, _EPISODES)
    configs = np.arange(_MAP)
    return {
        "load_s": load_s,
        "peak_mb": peak_mb,
        "many_us": best_of(lambda: many.outcomes(indices, 0), repeats=_CALLS) * 1e6,
        "hashes_us": best_of(lambda: uniforms(seeds, indices, 0), repeats=_CALLS) * 1e6,
        "one_us": best_of(lambda: one.outcomes(configs, 0), repeats=_CALLS) * 1e6,
    }


if __name__ == "__main__":
    task, folder = sys.argv[1:]
    print(json.dumps({"make": _make, "bare": _bare, "ours": _ours}[task](Path(folder))))
