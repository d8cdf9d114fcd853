"""Before a run the node is at rest, or the run says why it was not."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from peva_env.config import CooldownConfig
from peva_env.errors import MetricsError
from peva_env.platforms.base import NodeUsage, Platform, Usage
from peva_env.platforms.cooldown import Cooldown, Rest


class ScriptedNode:
    """A node whose use is told beforehand, look by look; the last one lasts."""

    name = "scripted"
    min_window_s = 2.5

    def __init__(self, *looks: Usage | NodeUsage | MetricsError, failed: str | None = None) -> None:
        self.looks = list(looks)
        self.n_looks = 0
        self.failed = failed

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def url(self, function: str) -> str:
        raise NotImplementedError

    def describe(self) -> Mapping[str, Any]:
        return {}

    def failure(self) -> str | None:
        return self.failed

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        assert end_at - start_at == pytest.approx(self.min_window_s)
        self.n_looks += 1
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, MetricsError):
            raise look
        return look if isinstance(look, NodeUsage) else NodeUsage(look)


def scaled(cpu_pct: float = 3, **replicas: int | None) -> NodeUsage:
    """Return the use of a node whose functions have so many replicas."""
    return NodeUsage(used(cpu_pct), {name: Usage(replicas=count) for name, count in replicas.items()})


def used(cpu_pct: float | None, ram_pct: float | None = 10.0) -> Usage:
    return Usage(cpu_pct=cpu_pct, ram_pct=ram_pct)


def cooldown(node: Platform, **settings: float) -> tuple[Cooldown, list[float]]:
    """Return a cooldown whose pauses are noted instead of slept."""
    pauses: list[float] = []
    return Cooldown(node, CooldownConfig.model_validate(settings), sleep=pauses.append), pauses


def rests(*cpu_pcts: float, **settings: float) -> list[Rest]:
    """Look once per figure, with no patience."""
    node = ScriptedNode(*map(used, cpu_pcts))
    cooling, _ = cooldown(node, max_wait_seconds=0, **settings)
    return [cooling.wait() for _ in cpu_pcts]


def is_at_rest(*cpu_pcts: float, **settings: float) -> list[bool]:
    return [rest.problem is None for rest in rests(*cpu_pcts, **settings)]


def test_a_node_at_rest_is_looked_at_once_and_not_waited_for() -> None:
    node = ScriptedNode(used(3))
    cooling, pauses = cooldown(node)
    assert cooling.wait().idle == used(3)
    assert (node.n_looks, pauses) == (1, [])


def test_a_busy_node_is_waited_for_until_it_is_back_near_its_idle_use() -> None:
    node = ScriptedNode(used(3), used(60), used(30), used(4))
    cooling, pauses = cooldown(node, sleep_step_seconds=5)
    cooling.wait()
    rest = cooling.wait()
    assert (rest.problem, rest.idle.cpu_pct, pauses) == (None, 4, [5, 5])


def test_a_node_that_stays_busy_is_reported_with_figures() -> None:
    calm, busy = rests(10, 60)
    assert calm.problem is None
    assert busy.problem == "not at rest after 0 s of cooldown: CPU 60.0 % > 15.0 %, idle is 10.0 %"


def test_ram_counts_like_cpu() -> None:
    cooling, _ = cooldown(ScriptedNode(used(1, 20), used(1, 40)), max_wait_seconds=0)
    cooling.wait()
    assert "RAM 40.0 % > 25.0 %" in str(cooling.wait().problem)


def test_no_pause_outlasts_the_longest_wait() -> None:
    cooling, pauses = cooldown(ScriptedNode(used(1), used(50)), max_wait_seconds=0.05, sleep_step_seconds=60)
    cooling.wait()
    assert cooling.wait().problem
    assert pauses
    assert max(pauses) <= 0.05


def test_a_share_above_the_idle_use_counts_as_rest() -> None:
    assert is_at_rest(40, 48, idle_threshold_pct=25) == [True, True]
    assert is_at_rest(40, 51, idle_threshold_pct=25) == [True, False]


def test_a_few_points_above_next_to_nothing_are_noise() -> None:
    assert is_at_rest(0, 4.9) == [True, True]
    assert is_at_rest(0, 5.1) == [True, False]


def test_slow_drift_is_followed() -> None:
    assert all(is_at_rest(*[10 + 0.5 * step for step in range(60)]))


def test_a_node_that_was_still_busy_at_first_is_found_out() -> None:
    assert is_at_rest(80, 2, 60) == [True, True, False]


@pytest.mark.parametrize("unmeasured", [used(None), used(1, None), Usage()])
def test_what_was_not_measured_is_not_at_rest(unmeasured: Usage) -> None:
    cooling, _ = cooldown(ScriptedNode(unmeasured, used(2)), max_wait_seconds=0)
    assert "was not measured" in str(cooling.wait().problem)
    assert cooling.wait().problem is None  # and it is not taken for the baseline


# Replicas, and a node that cannot be looked at


def test_replicas_that_the_load_called_up_must_be_gone() -> None:
    node = ScriptedNode(scaled(f=1, g=2), scaled(f=5, g=2), scaled(f=2, g=2), scaled(f=1, g=2))
    cooling, pauses = cooldown(node, sleep_step_seconds=5)
    assert cooling.wait().problem is None
    assert (cooling.wait().problem, pauses) == (None, [5, 5])


def test_replicas_that_stay_are_named() -> None:
    cooling, _ = cooldown(ScriptedNode(scaled(f=1), scaled(f=4)), max_wait_seconds=0)
    cooling.wait()
    assert cooling.wait().problem == "not at rest after 0 s of cooldown: f has 4 replicas, idle are 1"


def test_a_function_that_was_still_scaled_up_at_first_is_found_out() -> None:
    cooling, _ = cooldown(ScriptedNode(scaled(f=3), scaled(f=1), scaled(f=3)), max_wait_seconds=0)
    assert [cooling.wait().problem is None for _ in range(3)] == [True, True, False]


def test_a_function_that_was_scaled_to_zero_meanwhile_may_come_back() -> None:
    cooling, _ = cooldown(ScriptedNode(scaled(f=2), scaled(f=0), scaled(f=1), scaled(f=2)), max_wait_seconds=0)
    assert [cooling.wait().problem is None for _ in range(4)] == [True, True, True, False]


def test_replicas_that_nobody_tells_are_no_obstacle() -> None:
    cooling, _ = cooldown(ScriptedNode(scaled(f=None), scaled(f=3), scaled(f=None)), max_wait_seconds=0)
    assert [cooling.wait().problem for _ in range(3)] == [None, None, None]


def test_metrics_that_cannot_be_reached_are_waited_for() -> None:
    node = ScriptedNode(MetricsError("prometheus_url: connection refused"), used(3))
    cooling, pauses = cooldown(node, sleep_step_seconds=5)
    rest = cooling.wait()
    assert (rest.problem, rest.idle, pauses) == (None, used(3), [5])


def test_metrics_that_stay_away_are_a_problem_not_a_crash() -> None:
    cooling, _ = cooldown(ScriptedNode(MetricsError("prometheus_url: connection refused")), max_wait_seconds=0)
    assert cooling.wait().problem == "not at rest after 0 s of cooldown: prometheus_url: connection refused"


def test_what_is_missing_says_why() -> None:
    blind = NodeUsage(missing=("node_cpu_seconds_total: no series",))
    cooling, _ = cooldown(ScriptedNode(blind), max_wait_seconds=0)
    assert str(cooling.wait().problem).endswith("CPU of the node was not measured; node_cpu_seconds_total: no series")


def test_a_node_that_is_gone_is_not_waited_for() -> None:
    cooling, pauses = cooldown(ScriptedNode(Usage(), failed="function 'f' ended with exit code 1"))
    assert (cooling.wait().problem, pauses) == ("function 'f' ended with exit code 1", [])


def test_a_clock_that_is_set_back_does_not_prolong_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    times = count(10_000_000.0, -3600.0)
    monkeypatch.setattr("time.time", lambda: next(times))
    cooling, pauses = cooldown(ScriptedNode(used(1), used(60)), max_wait_seconds=0.05, sleep_step_seconds=60)
    cooling.wait()
    rest = cooling.wait()
    assert rest.problem
    assert 0 <= rest.waited_s < 60
    assert max(pauses) <= 0.05


def test_after_other_programs_spoilt_a_run_the_next_one_waits_until_they_leave_the_cores_alone() -> None:
    node, busy_pct, pauses = ScriptedNode(used(3)), [90.0, 60.0, 10.0, 90.0], list[float]()
    settings = CooldownConfig(max_wait_seconds=100, sleep_step_seconds=5)
    rest = Cooldown(node, settings, sleep=pauses.append, others_pct=lambda _: busy_pct.pop(0))
    assert (rest.wait().problem, len(busy_pct)) == (None, 4)
    rest.expect_crowd()
    assert rest.wait().problem is None
    assert (pauses, busy_pct) == ([5, 5], [90.0])
    assert (rest.wait().problem, len(busy_pct)) == (None, 1), "it waits once"


def test_a_queue_that_the_node_may_still_serve_is_waited_for_once_and_within_limits() -> None:
    cooling, pauses = cooldown(ScriptedNode(used(3)), max_wait_seconds=20, rest_seconds=2)
    for queue_s in (0.0, 7.5, 1.0, 1000.0):
        cooling.expect_queue(queue_s)
        cooling.wait()
    cooling.wait()
    assert pauses == [2, 7.5, 2, 20, 2]


def test_other_programs_that_stay_do_not_keep_a_run_from_its_try() -> None:
    node = ScriptedNode(used(3))
    rest = Cooldown(node, CooldownConfig(max_wait_seconds=0), others_pct=lambda _: 90.0)
    rest.expect_crowd()
    assert rest.wait().problem is None
