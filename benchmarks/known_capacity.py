"""Verdicts on a function of known capacity, at 20 rates around it, ten runs each, by real k6.

Five requests at once of 50 ms each are 100 requests per second. Outside 15 % of that at least 99 % of the verdicts must
be right; inside, the margin must cross zero where the capacity is.
"""

import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean

from peva_env.contracts import CampaignObserver, ExecutionEvent, Verdict
from peva_env.make import make_live_env
from peva_env.space import Config

_CAPACITY_RPS = 100
_UNSURE = 0.15
_TRIES = 10
_RATES_RPS = [40, 55, 65, 70, 75, 80, 85, 90, 94, 97, 100, 103, 106, 110, 115, 120, 130, 145, 160, 200]
_CODE = """
import asyncio
async def handle(request):
    await asyncio.sleep(0.05)
    return 'ok'
"""


class _Recorder(CampaignObserver):
    """Keeps the events of each rate."""

    def __init__(self) -> None:
        self.events: dict[int, list[ExecutionEvent]] = defaultdict(list)

    def starting(self, config: Config, iteration: int) -> None: ...

    def measured(self, event: ExecutionEvent) -> None:
        self.events[event.config_pairs[0][1]].append(event)

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None: ...


def main() -> None:
    """Print what was found at each rate, and how much of it is right."""
    recorder = _Recorder()
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), recorder)
    right, sure = 0, 0
    for rate_rps, events in sorted(recorder.events.items()):
        print(_line(rate_rps, events), flush=True)
        if abs(rate_rps / _CAPACITY_RPS - 1) >= _UNSURE:
            truth = Verdict.OVERLOADED if rate_rps > _CAPACITY_RPS else Verdict.OK
            sure += len(events)
            right += sum(event.verdict is truth for event in events)
    print(
        f"outside {_UNSURE:.0%} of the capacity: {right} of {sure} verdicts are right ({right / sure:.1%}; target 99 %)"
    )


def _measure(folder: Path, recorder: _Recorder) -> None:
    (folder / "limited.py").write_text(_CODE, encoding="utf-8")
    config = {
        "functions": [{"name": "limited", "source": f"{folder}/limited.py:handle", "concurrency": 5}],
        "rate_strategy": {"type": "custom", "rates": _RATES_RPS},
        "duration": "1s",
        "timeout": "1s",
        "iterations": _TRIES,
        "output_dir": str(folder / "results"),
    }
    env = make_live_env(config)
    env.observer = recorder
    env.reset(seed=1)
    try:
        for index in reversed(range(len(_RATES_RPS))):  # from below, the first overloaded rate would settle the rest
            env.step(index)
    finally:
        env.close()


def _line(rate_rps: int, events: list[ExecutionEvent]) -> str:
    counts = ", ".join(f"{n} {verdict}" for verdict in Verdict if (n := sum(e.verdict is verdict for e in events)))
    margins = [event.margin for event in events if event.margin is not None]
    reasons = sorted({reason.rpartition(" < ")[0].rpartition(" ")[0] for event in events for reason in event.reasons})
    span = f"margin {mean(margins):+.3f} ({min(margins):+.3f} to {max(margins):+.3f})" if margins else "no margin"
    return f"{rate_rps:4} rps: {counts:24} {span}  {'; '.join(reasons)}"
