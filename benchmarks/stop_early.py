"""What ``stop_early: sequential`` saves, and how often it stops a run wrongly.

``python -m benchmarks stop-early`` prints two tables of runs of 30 s:

- **simulated**: thousands of random queues (``benchmarks.queueing``), loads from half to one and a half times the
  capacity, alone and in mixes, with rules on success, backlog, CPU and, for half of them, the 95th percentile. What is
  true is the verdict of a run of 300 s. The seed is not one that anything was tuned on.
- **live**: the functions of known capacity of ``benchmarks.truth``. A run above the capacity is overloaded. The target
  is half of the machine seconds of whole runs, cooldowns included. The simulated queues are not a campaign: they are
  noisy on purpose, many have few requests, and half of the limits are near the latency itself.

A stop is false if the run was stopped as OK and is overloaded, or was stopped as overloaded below the capacity and is
OK. It takes about 20 minutes; ``PEVA_STOP_EARLY_PARTS=simulated`` or ``live`` does one of them,
``PEVA_STOP_EARLY_RUNS`` and ``PEVA_STOP_EARLY_TRIES`` set their sizes, ``PEVA_STOP_EARLY_KIND`` takes the kinds of
functions that have this in their name.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.queueing import Queue, QueueRun
from benchmarks.truth import KINDS, Kind, measured
from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.errors import PevaError
from peva_env.rules import STOPPED, Part, Reading, Watch, backlog_of, judge, judge_stopped

_PARTS = os.environ.get("PEVA_STOP_EARLY_PARTS", "simulated,live").split(",")
_N_SIMULATED = int(os.environ.get("PEVA_STOP_EARLY_RUNS", "4000"))
_KIND = os.environ.get("PEVA_STOP_EARLY_KIND", "")
_TRIES = int(os.environ.get("PEVA_STOP_EARLY_TRIES", "1"))
_SEED = 20_000
_DURATION_S, _TRUE_DURATION_S, _TIMEOUT_S = 30.0, 300.0, 5.0
_TARGET_FALSE = 0.01
_REST_S = 15.0
"""A queue of a run at one and a half times the capacity is served in half of the run's length."""

_LOADS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.02, 1.05, 1.1, 1.2, 1.5)
_LIVE_LOADS = (0.5, 0.7, 0.85, 0.95, 1.05, 1.15, 1.3, 1.5)
_OTHER_LOADS = (0.3, 0.6, 0.8)
_LOWEST_RPS, _HIGHEST_RPS = 5, 250


@dataclass
class _Row:
    """What became of the runs of one load."""

    n: int = 0
    seconds: float = 0.0
    whole_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: "_Row") -> None:
        self.n += other.n
        self.seconds += other.seconds
        self.whole_s += other.whole_s
        self.counts += other.counts


def main() -> None:
    """Print both tables."""
    if "simulated" in _PARTS:
        for n_functions, n_runs in ((1, _N_SIMULATED), (3, _N_SIMULATED // 4)):
            _print_simulated(n_functions, n_runs)
    if "live" in _PARTS:
        _print_live()


def _print_simulated(n_functions: int, n_runs: int) -> None:
    print(f"simulated, {n_runs} runs of {n_functions} function{'s' if n_functions > 1 else ''}", flush=True)
    rng = np.random.default_rng(_SEED + n_functions)
    rows: dict[float, _Row] = {load: _Row() for load in _LOADS}
    for _ in range(n_runs):
        load = float(rng.choice(_LOADS))
        _simulate(rows[load], load, n_functions, rng)
    _print_table(rows)


@dataclass(frozen=True)
class _Node:
    """The functions of a simulated node, their rates, its CPU use and the rules."""

    queues: Sequence[Queue]
    rates_rps: Sequence[int]
    cpu_pct: float
    rules: OverloadConfig

    def offered(self, duration_s: float, rng: np.random.Generator) -> list[QueueRun]:
        pairs = zip(self.queues, self.rates_rps, strict=True)
        return [queue.run(rate, duration_s, _TIMEOUT_S, rng) for queue, rate in pairs]

    def use(self, length_s: float, rng: np.random.Generator) -> NodeMeasurement:
        noise_pct = 2 * np.sqrt(_DURATION_S / max(1.0, length_s)) * rng.standard_normal()
        return NodeMeasurement(cpu_pct=float(np.clip(self.cpu_pct + noise_pct, 0, 100)), ram_pct=30.0)

    @property
    def is_above_capacity(self) -> bool:
        return any(rate > queue.capacity_rps for queue, rate in zip(self.queues, self.rates_rps, strict=True))


def _drawn(load: float, n_functions: int, rng: np.random.Generator) -> _Node:
    queues, rates = [], []
    for f in range(n_functions):
        own_load = load if f == 0 else float(rng.choice(_OTHER_LOADS))
        while True:
            queue = Queue(
                slots=int(rng.choice([1, 2, 5, 16])),
                room=float(rng.choice([0, 20, 200, 1e9])),
                mean_s=float(np.exp(rng.uniform(np.log(0.005), np.log(0.3)))),
                variation=float(rng.choice([0, 0.2, 0.5, 1, 2])),
            )
            rate_rps = round(own_load * queue.capacity_rps)
            if _LOWEST_RPS <= rate_rps <= _HIGHEST_RPS and abs(rate_rps / queue.capacity_rps - own_load) < 0.01:
                break
        queues.append(queue)
        rates.append(rate_rps)
    slowest_ms = 1000 * max(queue.mean_s for queue in queues)
    p95_ms_max = float(slowest_ms * rng.choice([4, 10])) if rng.random() < 0.5 else None
    cpu_pct = float(rng.choice([30, 60, 70, 76, 84, 95])) if rng.random() < 0.3 else 20.0
    return _Node(queues, rates, cpu_pct, OverloadConfig(p95_ms_max=p95_ms_max))


def _simulate(row: _Row, load: float, n_functions: int, rng: np.random.Generator) -> None:
    node = _drawn(load, n_functions, rng)
    runs = node.offered(_DURATION_S, rng)
    halves: list[NodeMeasurement] = []

    def part(functions: Sequence[FunctionMeasurement], start_s: float, end_s: float) -> Part:
        halves.append(node.use(end_s - start_s, rng))
        return Part(functions, halves[-1])

    watch = Watch(node.rules, duration_s=_DURATION_S, timeout_s=_TIMEOUT_S, part=part)
    row.n += 1
    row.whole_s += _DURATION_S
    for ran_s in np.arange(0.5, _DURATION_S, 0.5):
        functions = tuple(run.until(f"f{f}", ran_s) for f, run in enumerate(runs))
        ending = watch.add(Reading(float(ran_s), functions))
        if ending is None:
            continue
        row.seconds += ran_s
        truth = judge(_whole(node.offered(_TRUE_DURATION_S, rng)), node.use(_TRUE_DURATION_S, rng), node.rules).verdict
        row.counts[f"stopped {ending.verdict}"] += 1
        is_false = truth is not ending.verdict
        if is_false and not (ending.verdict is Verdict.OVERLOADED and node.is_above_capacity):
            row.counts[f"false {ending.verdict}"] += 1
        with_backlog = [
            replace(function, backlog=backlog_of(ending.growth.get(function.name, 0.0), function.offered))
            for function in functions
        ]
        use = _mean(halves[-2:]) if halves else node.use(ran_s, rng)
        judged = judge_stopped(with_backlog, use, node.rules, duration_s=_DURATION_S, ran_s=float(ran_s))
        row.counts["measured again"] += judged.verdict is Verdict.INVALID
        return
    row.seconds += _DURATION_S
    row.counts["whole"] += 1


def _whole(runs: Sequence[QueueRun]) -> list[FunctionMeasurement]:
    return [run.whole(f"f{f}") for f, run in enumerate(runs)]


def _mean(halves: Sequence[NodeMeasurement]) -> NodeMeasurement:
    return NodeMeasurement(cpu_pct=sum(half.cpu_pct or 0.0 for half in halves) / len(halves), ram_pct=30.0)


def _print_live() -> None:
    print(f"live, {_TRIES} run{'s' if _TRIES > 1 else ''} of each load of {len(KINDS)} kinds of functions", flush=True)
    rows: dict[float, _Row] = {load: _Row() for load in _LIVE_LOADS}
    for kind in (kind for kind in KINDS if _KIND in kind.name):
        with tempfile.TemporaryDirectory() as folder:
            try:
                _measure(kind, Path(folder), rows)
            except PevaError as error:  # a busy machine: the other kinds may be fine
                print(f"  {kind.name}: {error}", flush=True)
    _print_table(rows)


def _measure(kind: Kind, folder: Path, rows: dict[float, _Row]) -> None:
    capacity_rps, events = measured(
        kind,
        folder,
        _LIVE_LOADS,
        rest_s=_REST_S,
        iterations=_TRIES,
        duration=f"{_DURATION_S:g}s",
        stop_early="sequential",
    )
    own = _Row()
    for event in events:
        load = min(_LIVE_LOADS, key=lambda one: abs(one - event.config_pairs[0][1] / capacity_rps))
        row = _of_event(event, event.config_pairs[0][1] > capacity_rps)
        rows[load].add(row)
        own.add(row)
    print(f"  {kind.name}, {capacity_rps:.1f} requests/s: {_text(own)}", flush=True)


def _of_event(event: ExecutionEvent, is_above_capacity: bool) -> _Row:
    row = _Row(1, event.cost_s, event.cost_s - event.duration_s + _DURATION_S)
    is_stopped = any(reason.startswith(STOPPED) for reason in event.reasons)
    if event.verdict is Verdict.INVALID:
        row.counts["measured again"] += 1
    elif not is_stopped:
        row.counts["whole"] += 1
    else:
        row.counts[f"stopped {event.verdict}"] += 1
        if (event.verdict is Verdict.OVERLOADED) is not is_above_capacity:
            row.counts[f"false {event.verdict}"] += 1
    return row


def _print_table(rows: dict[float, _Row]) -> None:
    total = _Row()
    for load, row in rows.items():
        if row.n:
            print(f"  {load:4.2f} x capacity: {_text(row)}", flush=True)
        total.add(row)
    stopped = total.counts[f"stopped {Verdict.OK}"] + total.counts[f"stopped {Verdict.OVERLOADED}"]
    false = total.counts[f"false {Verdict.OK}"] + total.counts[f"false {Verdict.OVERLOADED}"]
    print(f"  all: {_text(total)}")
    print(f"  false stops: {false} of {stopped} = {false / max(1, stopped):.2%} (target {_TARGET_FALSE:.0%})")
    if total.n:
        print(f"  seconds: {total.seconds / total.whole_s:.0%} of those of whole runs", flush=True)


def _text(row: _Row) -> str:
    counts = ", ".join(f"{n} {what}" for what, n in sorted(row.counts.items()) if n)
    if not row.n:
        return "no runs"
    return f"{row.n} runs, {row.seconds / row.n:.1f} s of {row.whole_s / row.n:.1f} s each: {counts}"
