"""Takes the recording ``local-node-v1``: every mix of two functions on the local node, also what must be overloaded.

``python -m benchmarks.record_local_node FOLDER`` writes the memory and its Parquet export there, ``core``, and the same
without the machine's name to ``published``; it takes 22 minutes on an otherwise idle machine of two cores.
"""

import json
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from peva_env.campaign import DfaasConfigExecutor, LiveCampaigns
from peva_env.config import parse_config
from peva_env.contracts import EndStatus, Verdict
from peva_env.memory import DuckDBMemoryStore, context_hash
from peva_env.memory.parquet import ParquetCheckpoint

ITERATIONS = 3
SEED = 20261123
NAME = "local-node-v1"


def record(folder: Path) -> None:
    """Measure each configuration ``ITERATIONS`` times, in random order, and export what came of it."""
    host = LiveCampaigns(
        parse_config(
            {
                "functions": [{"name": "checkout", "max_rate": 240}, {"name": "primes", "max_rate": 180}],
                "rate_strategy": {"type": "custom", "rates": sorted({*range(20, 241, 20), *range(15, 181, 15)})},
                "combinations": {"min_functions": 1, "max_functions": 3},
                "duration": "2s",
                "timeout": "2s",
                "iterations": ITERATIONS,
                "cooldown": {"max_wait_seconds": 30, "sleep_step_seconds": 0.5},
                "seed": SEED,
                "run_id": NAME,
                "output_dir": str(folder),
                "memory": {"export_core_parquet_dir": str(folder / "core")},
            }
        )
    )
    rng = np.random.default_rng(SEED)
    rates = {"checkout": range(20, 241, 20), "primes": range(15, 181, 15)}
    plan = [config for config in host.space if all(rate in rates[name] for name, rate in config)]
    runs = [config for config in plan for _ in range(ITERATIONS)]
    campaign = host.open({}, seed=0)
    executor = campaign.executor
    assert isinstance(executor, DfaasConfigExecutor)
    for done, position in enumerate(rng.permutation(len(runs))):
        config, verdict = runs[position], Verdict.INVALID
        while verdict is Verdict.INVALID:
            key = tuple(name for name, _ in config), tuple(rate for _, rate in config)
            iteration = host.memory.ledger.next_iteration(key)
            event = executor.source.measure(config, iteration=iteration, rng=rng)
            run_id = executor.context.run_id
            host.memory.ingest_event(replace(event, run_id=run_id, context_hash=executor.context_hash))
            verdict = event.verdict
            print(f"{done + 1}/{len(runs)}", config, verdict, "; ".join(event.reasons), flush=True)
    campaign.end(EndStatus.COMPLETE)
    host.close()


def publish(core: Path, published: Path) -> None:
    """Write a recording anew under the node's public name instead of the machine's, and under the hash that follows."""
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        ParquetCheckpoint(store, core_dir=core).preload_core()
        connection = store.database.connection
        ((text,),) = connection.execute("SELECT context_json FROM run_sessions").fetchall()
        context = json.loads(text)
        del context["node"]["hostname"]
        context["node"]["name"] = NAME
        new_hash = context_hash(context)
        connection.execute("UPDATE run_sessions SET context_json = ?", [json.dumps(context, sort_keys=True)])
        for table in ("run_sessions", "execution_events"):
            connection.execute(f"UPDATE {table} SET context_hash = ?", [new_hash])
        ParquetCheckpoint(store, core_dir=published).export_core()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    record(folder)
    publish(folder / "core", folder / "published")
