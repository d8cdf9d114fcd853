"""What an overloaded run leaves behind on the node is not charged to the next run."""

from pathlib import Path

import numpy as np
import pytest

from peva_env.config import FunctionConfig
from peva_env.contracts import FunctionMeasurement, Verdict
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from peva_env.sources.leftovers import queue_left_s
from tests.support.live import live_source

LOCKED = """
import threading, time
lock = threading.Lock()

def handle(request):
    with lock:
        time.sleep(0.02)
    return "done"
"""
"""Serves 50 requests/s at most without using a core, and queues all others: nothing on the node shows the queue."""


@pytest.mark.live
def test_a_queue_that_needs_no_cpu_is_served_before_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "locked.py").write_text(LOCKED)
    function = FunctionConfig(name="locked", source=f"{tmp_path}/locked.py:handle", concurrency=1000)
    with LocalNode([function]) as node:
        source = live_source(node, "locked", K6(timeout_s=0.5), duration_s=2)
        high, low = (
            source.measure([("locked", rate_rps)], iteration=0, rng=np.random.default_rng(0)) for rate_rps in (100, 25)
        )
    assert high.verdict is Verdict.OVERLOADED
    assert high.functions[0].failed["timeout"] > 50
    assert low.verdict is Verdict.OK, low.reasons


@pytest.mark.parametrize(
    ("counts", "left_s"),
    [
        ([(300, 0)], 0.0),
        ([(200, 100)], 15.0),  # served at 200 in 30 s, 100 take 15 s
        ([(10, 290)], 30.0),
        ([(0, 300)], 30.0),
        ([(0, 0)], 0.0),
        ([(300, 0), (200, 40)], 6.0),
        ([], 0.0),
    ],
)
def test_requests_that_were_given_up_are_served_at_the_rate_at_which_others_were(
    counts: list[tuple[int, int]], left_s: float
) -> None:
    functions = [
        FunctionMeasurement("f", 10, done + lost, done + lost, 0, done, {"timeout": lost, "status_5xx": 7}, 1.0)
        for done, lost in counts
    ]
    assert queue_left_s(functions, 30) == left_s
