"""Stepped runs of the real k6: several loads one after the other in one process."""

import os
import signal
import threading
import time

import pytest

from peva_env.sources.k6 import K6, FunctionLoad, Step
from tests.support.http_server import Server
from tests.support.k6 import running_k6
from tests.support.processes import wait_until

pytestmark = pytest.mark.live


def test_each_step_has_its_own_rate_window_and_figures(server: Server) -> None:
    steps = [
        Step([FunctionLoad("a", a, server.url("/delay/0")), FunctionLoad("b", b, server.url("/delay/0.1"))], [9, 9])
        for a, b in ((20, 10), (60, 30))
    ]
    first, second = K6(timeout_s=1).run_steps(steps, step_s=2, warm_up_s=1)
    assert [[function.rate_rps for function in step.functions] for step in (first, second)] == [[20, 10], [60, 30]]
    assert [[round(function.offered, -1) for function in step.functions] for step in (first, second)] == [
        [40, 20], [120, 60]
    ]  # fmt: skip
    assert all(function.success_rate == 1 for step in (first, second) for function in step.functions)
    assert second.load_started_at - first.load_started_at == pytest.approx(2)
    assert first.load_started_at > first.started_at + 1, "the warm-up comes before"
    for step in (first, second):
        a, b = step.functions
        assert a.p50_ms is not None
        assert b.p50_ms is not None
        assert a.p50_ms < 99 <= b.p50_ms
        assert step.aborted_after_s is None
        assert step.generator_cpu_pct is not None
        assert 0 < step.generator_cpu_pct < 100


def test_the_first_step_with_too_many_failures_ends_the_run_and_cuts_no_other(server: Server) -> None:
    url, most = server.url("/status/503"), {10: 99, 20: 5, 40: 5, 80: 5}
    began = time.monotonic()
    steps = K6(timeout_s=1).run_steps(
        [Step([FunctionLoad("f", rate, url)], [limit]) for rate, limit in most.items()], step_s=4
    )
    assert time.monotonic() - began < 12
    assert [step.functions[0].rate_rps for step in steps] == [10, 20]
    assert (steps[0].functions[0].sent // 10, steps[0].aborted_after_s) == (4, None)
    assert steps[1].functions[0].success_rate == 0
    assert steps[1].aborted_after_s is None or steps[1].aborted_after_s < 4


def test_a_stall_of_k6_belongs_to_the_step_in_which_it_was(server: Server) -> None:
    url = server.url("/echo")

    def stall() -> None:
        assert wait_until(lambda: bool(server.requests))
        time.sleep(2.5)
        for process in running_k6():
            os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.7)
        for process in running_k6():
            os.kill(process.pid, signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    steps = K6(timeout_s=1).run_steps([Step([FunctionLoad("f", 100, url)], [900])] * 3, step_s=2)
    thread.join()
    held_up = [step.functions[0].held_up for step in steps]
    assert held_up[1] > 40
    assert max(held_up[0], held_up[2]) < 20
