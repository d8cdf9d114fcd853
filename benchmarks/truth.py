"""Verdicts on functions of known capacity, at ten rates from half of it to twice, by real k6.

Outside 15 % of the capacity at least 99 % of the verdicts must be right. The capacity of the functions that need CPU is
measured first, with as many requests under way as the function serves at once.

``python -m benchmarks truth`` takes half an hour on two cores; ``PEVA_TRUTH_TRIES=2`` makes two runs of each rate
instead of five.
"""

import http.client
import os
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from peva_env.config import parse_config
from peva_env.contracts import CampaignObserver, ExecutionEvent, Verdict
from peva_env.make import make_live_env
from peva_env.platforms.local import LocalNode
from peva_env.space import Config

_UNSURE = 0.15
_TARGET = 0.99
_FACTORS = (0.5, 0.6, 0.7, 0.8, 0.85, 1.15, 1.3, 1.5, 1.75, 2.0)
_TRIES = int(os.environ.get("PEVA_TRUTH_TRIES", "5"))
_CALIBRATION_S = 3.0

_WAITS = """
    import asyncio
    async def handle(request):
        await asyncio.sleep(0.05)
        return 'ok'
"""
_LOCKED = """
    import asyncio
    turn = asyncio.Lock()
    async def handle(request):
        async with turn:
            await asyncio.sleep(0.02)
        return 'ok'
"""
_COMPUTES = """
    import os, time
    os.sched_setaffinity(0, {0})
    async def handle(request):  # blocks the event loop: one at a time
        end = time.thread_time() + 0.015
        while time.thread_time() < end:
            pass
        return 'ok'
"""
_DEGRADES = """
    import asyncio
    under_way = 0
    async def handle(request):
        global under_way
        if under_way == 5:
            return 'busy'
        under_way += 1
        try:
            await asyncio.sleep(0.05)
        finally:
            under_way -= 1
        return 'ok'
"""
_STARTS_COLD = """
    import asyncio, time
    last = warm_at = 0.0
    async def handle(request):
        global last, warm_at
        now = time.monotonic()
        if now - last > 0.5:
            warm_at = now + 1.0
        last = now
        await asyncio.sleep(max(0.0, warm_at - now) + 0.05)
        last = time.monotonic()
        return 'ok'
"""


@dataclass(frozen=True)
class Kind:
    """One kind of service: its functions by name, its capacity in requests/s of each, None to measure it."""

    name: str
    code: Mapping[str, str]
    capacity_rps: float | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    function: Mapping[str, Any] = field(default_factory=dict)


_QUEUE = {"concurrency": 10_000}
KINDS = (
    Kind("waits, five at once", {"a": _WAITS}, 100.0, function={"concurrency": 5}),
    Kind("one CPU-bound worker", {"a": _COMPUTES}, None, function=_QUEUE),
    Kind("a lock without a limit", {"a": _LOCKED}, None, function=_QUEUE),
    Kind(
        "degraded 200s, five at once",
        {"a": _DEGRADES},
        100.0,
        function={"concurrency": 1000, "expect": {"body_not_contains": "busy"}},
    ),
    Kind("cold start, five at once", {"a": _STARTS_COLD}, 100.0, {"warm_up": "2s"}, {"concurrency": 5}),
    Kind("two functions on one core", {"a": _COMPUTES, "b": _COMPUTES}, None, function=_QUEUE),
)


class _Recorder(CampaignObserver):
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[ExecutionEvent] = []

    def starting(self, config: Config, iteration: int) -> None: ...

    def measured(self, event: ExecutionEvent) -> None:
        self.events.append(event)

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None: ...


def main() -> None:
    """Print what was found of each kind at each rate, and how much of it is right."""
    right = sure = 0
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            own_right, own_sure = _report(kind, *measured(kind, Path(folder), _FACTORS, iterations=_TRIES))
        right, sure = right + own_right, sure + own_sure
    print(f"all: {right} of {sure} verdicts are right ({right / sure:.1%}; target {_TARGET:.0%})", flush=True)


def measured(
    kind: Kind, folder: Path, factors: Sequence[float], *, rest_s: float = 0.0, **settings: Any
) -> tuple[float, Sequence[ExecutionEvent]]:
    """Return the capacity of a kind in requests/s of each function, and the runs.

    Args:
        kind: the functions; a mix has the same rate of each.
        folder: for their sources and the results.
        factors: the rates, as multiples of the capacity.
        rest_s: seconds of rest after an overloaded run: a queue that shows neither in CPU nor in RAM is served then.
        settings: keys of the configuration besides those that are the same in all measurements.
    """
    functions = []
    for name, code in kind.code.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")
        functions.append({"name": name, "source": f"{folder}/{name}.py:handle", **kind.function})
    capacity_rps = kind.capacity_rps or _served_rps(functions)
    config = {
        "functions": functions,
        "rate_strategy": {"type": "custom", "rates": sorted({round(factor * capacity_rps) for factor in factors})},
        "combinations": {"min_functions": len(functions), "max_functions": len(functions) + 1},
        "duration": "5s",
        "timeout": "5s",
        "overload": {"cpu_overload_pct_of_capacity": None},
        "cooldown": {"max_wait_seconds": 30, "sleep_step_seconds": 0.3},
        "max_invalid_retries": 5,
        "output_dir": str(folder / "results"),
        **kind.settings,
        **settings,
    }
    env = make_live_env(config)
    env.observer = recorder = _Recorder()
    env.reset(seed=1)
    try:
        for config_index in reversed(
            range(env.space.n_configs)
        ):  # from below, an overloaded rate would settle the rest
            if len({rate for _, rate in env.space.config(config_index)}) == 1:
                if recorder.events and recorder.events[-1].verdict is Verdict.OVERLOADED:
                    time.sleep(rest_s)
                env.step(config_index)
    finally:
        env.close()
    return capacity_rps, recorder.events


def _served_rps(functions: Sequence[Mapping[str, Any]]) -> float:
    """Return how many requests/s of each function are served, with two of each always under way."""
    parsed = parse_config({"functions": list(functions)}).functions
    with LocalNode(parsed) as node, ThreadPoolExecutor(2 * len(parsed)) as pool:
        urls = [node.url(function.name) for function in parsed for _ in range(2)]
        served = sum(pool.map(_calls, urls))
    return served / len(parsed) / _CALIBRATION_S


def _calls(url: str) -> int:
    address, n, ends_at = urlsplit(url), 0, time.monotonic() + _CALIBRATION_S
    while time.monotonic() < ends_at:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        connection.request("GET", address.path or "/")
        connection.getresponse().read()
        connection.close()
        n += 1
    return n


def _report(kind: Kind, capacity_rps: float, events: Sequence[ExecutionEvent]) -> tuple[int, int]:
    """Print one kind, and return how many verdicts outside the unsure part are right, and how many there are."""
    print(f"{kind.name}: {capacity_rps:.1f} requests/s", flush=True)
    right = sure = 0
    for rate_rps in sorted({event.config_pairs[0][1] for event in events}):
        own = [event for event in events if event.config_pairs[0][1] == rate_rps]
        share = rate_rps / capacity_rps
        counts = Counter(str(event.verdict) for event in own)
        truth = Verdict.OVERLOADED if share > 1 else Verdict.OK
        valid = [event for event in own if event.is_valid]
        if abs(share - 1) >= _UNSURE - 0.01:
            sure += len(valid)
            right += sum(event.verdict is truth for event in valid)
        found = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
        reasons = sorted({reason.partition(" of ")[0] for event in own for reason in event.reasons})
        print(f"  {share:4.2f} x, {rate_rps:4} rps: {found:28} {'; '.join(reasons)}", flush=True)
    print(f"  {right} of {sure} right", flush=True)
    return right, sure
