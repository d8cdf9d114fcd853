"""Wall time of a step beyond the duration of its k6 run, on the local node with cooldown satisfied.

Reference: k6 alone, with the same script and plan against the same function.
"""

import tempfile
import time

import gymnasium

from benchmarks.timing import report, spread
from peva_env.config import FunctionConfig
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6, FunctionLoad

_DURATION_S = 2
_TIMEOUT_S = 2.0
_RATES_RPS = [10, 20, 30, 40, 50, 60, 70, 80]


def main() -> None:
    """Print the overhead of a run."""
    with tempfile.TemporaryDirectory() as folder:
        k6_s = _k6_alone()
        steps_s = _steps(folder)
    print(f"overhead of k6 alone, s: {spread(k6_s)}")
    print(f"overhead of a whole step, s: {spread(steps_s)}")
    reference = ("k6 alone", sum(k6_s) / len(k6_s))
    report(
        "a step beyond its k6 duration, mean", sum(steps_s) / len(steps_s), "s", target="< 0.6 s", reference=reference
    )


def _k6_alone() -> list[float]:
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        generator = K6(timeout_s=_TIMEOUT_S)
        overheads = []
        for rate_rps in _RATES_RPS:
            started = time.perf_counter()
            generator.run([FunctionLoad("fetch", rate_rps, node.url("fetch"))], duration_s=_DURATION_S)
            overheads.append(time.perf_counter() - started - _DURATION_S)
    return overheads


def _steps(folder: str) -> list[float]:
    config = {
        "functions": [{"name": "fetch"}],
        "rate_strategy": {"type": "custom", "rates": _RATES_RPS},
        "duration": f"{_DURATION_S}s",
        "timeout": f"{_TIMEOUT_S}s",
        "iterations": 1,
        "output_dir": folder,
    }
    env = gymnasium.make("peva_env:peva/FaasLive-v1", config=config)
    env.reset()
    overheads = []
    for index in range(len(_RATES_RPS)):
        started = time.perf_counter()
        env.step(index)
        overheads.append(time.perf_counter() - started - _DURATION_S)
    env.close()
    return overheads
