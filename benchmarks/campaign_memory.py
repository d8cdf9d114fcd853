"""Resident memory of a campaign process over 10,000 steps on a scripted node, with a real memory and real artifacts.

Each step is a new configuration, so that what is known grows; beside that the memory must stay flat.
"""

import tempfile
from pathlib import Path

import psutil

from benchmarks.timing import report
from peva_env.env import PevaEnv
from peva_env.space import ConfigSpace
from tests.support.scripted import ScriptedHost

_STEPS = 10_000
_MARKS = (1_000, 4_000, 7_000, _STEPS)
_MB = 1e6


def main() -> None:
    """Print resident memory after some thousands of steps, and what a step added at the end."""
    space = ConfigSpace({"a": range(100), "b": range(_STEPS // 100)}, min_functions=2, max_functions=3)
    resident_mb = {}
    with tempfile.TemporaryDirectory() as folder:
        env = PevaEnv(ScriptedHost(space, {"a": 10**6, "b": 10**6}, Path(folder)))
        env.reset(seed=1)
        for step in range(1, _STEPS + 1):
            env.step(step - 1)
            if step in _MARKS:
                resident_mb[step] = psutil.Process().memory_info().rss / _MB
        env.close()
    for step, megabytes in resident_mb.items():
        report(f"resident memory after {step:,} steps", megabytes, "MB")
    grown_kb = (resident_mb[_STEPS] - resident_mb[_MARKS[-2]]) * 1000 / (_STEPS - _MARKS[-2])
    report("a step adds, at the end", grown_kb, "kB", target="flat")
