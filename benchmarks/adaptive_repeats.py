"""What adaptive repeats would have saved of a recording, and what they would have got wrong.

``python -m benchmarks.adaptive_repeats [FOLDER]``: a folder of core Parquet; without it the recording of the package.
Its configurations are taken as if their runs had been measured one by one, and compared with the majority of them all.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from peva_env import datasets
from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.memory import DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.rules import is_decided, judge, majority

ITERATIONS = 3


def main(folder: Path) -> None:
    """Print the share of runs saved, and of configurations with another verdict, without and with certain runs."""
    recorded = list(_recorded(folder))
    n_all = ITERATIONS * len(recorded)
    print(f"{folder.name}: {len(recorded):,} configurations of {ITERATIONS} runs")
    for words, trusted in (("the majority is decided", False), ("or a run is certain", True)):
        n_runs = n_other = 0
        for verdicts, certain in recorded:
            n = next(n for n in range(1, ITERATIONS + 1) if _is_enough(verdicts[:n], certain[:n], trusted))
            n_runs += n
            n_other += majority(verdicts[:n]) is not majority(verdicts)
        saved, other = 1 - n_runs / n_all, n_other / len(recorded)
        print(f"  {words:24} {saved:6.1%} saved, {other:6.2%} another verdict ({n_other})")


def _is_enough(verdicts: Sequence[Verdict], certain: Sequence[bool], trusted: bool) -> bool:
    return len(verdicts) == ITERATIONS or is_decided(verdicts, ITERATIONS, is_certain=trusted and any(certain))


def _recorded(folder: Path) -> Iterator[tuple[list[Verdict], list[bool]]]:
    """Yield the verdicts of each configuration's runs, and whether each run is certain, in the order of the runs."""
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        ParquetCheckpoint(store, core_dir=folder).preload_core()
        contexts = store.database.connection.execute("SELECT DISTINCT context_hash, context_json FROM run_sessions")
        for context_hash, text in contexts.fetchall():
            rules = OverloadConfig.model_validate(json.loads(text)["overload"])
            for runs in _by_configuration(store.events(context_hash)):
                if len(runs) >= ITERATIONS:
                    judged = [judge(run.functions, run.node, rules) for run in runs[:ITERATIONS]]
                    yield [one.verdict for one in judged], [one.is_certain for one in judged]


def _by_configuration(events: Sequence[ExecutionEvent]) -> Iterator[list[ExecutionEvent]]:
    runs: dict[tuple[str, int], list[ExecutionEvent]] = {}
    for event in sorted(events, key=lambda event: event.event_key):
        if event.is_valid:
            runs.setdefault((event.config_id, event.repetition), []).append(event)
    yield from runs.values()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else datasets.load("local-node-v1"))
