"""Cooldown, load, use and verdict make one event; a run that measured nothing is an event too."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, cast

import numpy as np
import pytest

from peva_env.config import LATENCIES, CooldownConfig, FunctionConfig, OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, MeasurementSource, Verdict
from peva_env.errors import LoadGeneratorError, MetricsError
from peva_env.platforms import Cooldown, MachineUsage, NodeUsage, Usage
from peva_env.rules import Reading
from peva_env.sources.k6 import K6, FunctionLoad, LoadResult, Step
from peva_env.sources.k6.live_counts import Watcher
from peva_env.sources.live import LiveSource
from peva_env.system import Moment


class Node:
    """Serves one function; ``failed`` is what it says of itself."""

    name = "fake"
    min_window_s = 0.1

    def __init__(self, failed: str | None = None, cpu_pct: float = 20.0) -> None:
        self.failed = failed
        self.use = NodeUsage(Usage(cpu_pct, 2**20, 10.0), {"f": Usage(cpu_pct, 2**20, replicas=1)})
        self.windows: list[tuple[float, float]] = []
        self.unreachable: str | None = None
        self.stopped = False

    def start(self) -> None: ...

    def stop(self) -> None:
        self.stopped = True

    def url(self, function: str) -> str:
        return f"http://127.0.0.1/{function}"

    def describe(self) -> Mapping[str, Any]:
        return {}

    def failure(self) -> str | None:
        return self.failed

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        self.windows.append((start_at, end_at))
        if self.unreachable:
            raise MetricsError(self.unreachable)
        return self.use


class Generator:
    """Succeeds with a share of the load, or raises; ``meanwhile`` happens while it runs."""

    n_generators = 1

    def __init__(
        self, success: float = 1.0, cpu_pct: float | None = 5.0, error: str | None = None, held_up: float = 0.0
    ) -> None:
        self.success, self.cpu_pct, self.error, self.held_up = success, cpu_pct, error, held_up
        self.aborted_after_s: float | None = None
        self.tags: Mapping[str, str] = {}
        self.most_failures: Sequence[int] | None = None
        self.kind = "status_5xx"
        self.meanwhile: Callable[[], None] = lambda: None
        self.changed: Callable[[FunctionMeasurement], FunctionMeasurement] = lambda function: function
        self.warm_ups_s: list[float] = []
        self.watcher: Watcher | None = None
        self.slow_ms: list[Sequence[int]] = []
        self.timeout_s = 5.0
        self.latency_ms = 20.0

    def run(
        self,
        loads: Sequence[FunctionLoad],
        *,
        duration_s: float,
        warm_up_s: float,
        tags: Mapping[str, str],
        most_failures: Sequence[int] | None,
        watcher: Watcher | None,
    ) -> LoadResult:
        self.meanwhile()
        self.most_failures = most_failures
        self.watcher, self.slow_ms = watcher, [load.slow_ms for load in loads]
        if self.error:
            raise LoadGeneratorError(self.error)
        is_stopped = False
        for ran_s in np.arange(0.5, duration_s, 0.5) if watcher else ():
            reading = Reading(float(ran_s), tuple(self._measured(load, float(ran_s)) for load in loads))
            if watcher and watcher(reading, 101.0):
                self.aborted_after_s, is_stopped = float(ran_s), True
                break
        functions = tuple(self._measured(load, self.aborted_after_s or duration_s) for load in loads)
        if is_stopped:
            return LoadResult(functions, 100.0, 112.0, 101.0, self.cpu_pct, {}, self.aborted_after_s, is_stopped=True)
        return LoadResult(functions, 100.0, 112.0, 101.0, self.cpu_pct, {"metrics": {}}, self.aborted_after_s)

    def close(self) -> None:
        pass

    def run_steps(
        self, steps: Sequence[Step], *, step_s: float, warm_up_s: float, tags: Mapping[str, str]
    ) -> list[LoadResult]:
        self.meanwhile()
        self.tags = tags
        self.warm_ups_s.append(warm_up_s)
        if self.error:
            raise LoadGeneratorError(self.error)
        self.most_failures = steps[0].most_failures
        return [
            LoadResult(
                tuple(self._measured(load, step_s) for load in step.loads), 100.0, 140.0, 101.0 + i * step_s, 5.0
            )
            for i, step in enumerate(steps)
        ]

    def _measured(self, load: FunctionLoad, duration_s: float) -> FunctionMeasurement:
        offered = round(load.rate_rps * duration_s)
        succeeded = round(offered * self.success)
        failed = {self.kind: offered - succeeded}
        held_up = round(offered * self.held_up)
        latencies: dict[str, Any] = dict.fromkeys(LATENCIES, self.latency_ms)
        measurement = FunctionMeasurement(
            load.name,
            load.rate_rps,
            offered,
            offered,
            0,
            succeeded,
            failed,
            self.success,
            held_up=held_up,
            **latencies,
        )
        return self.changed(measurement)


def live_source(node: Node, generator: Generator) -> LiveSource:
    return LiveSource(
        platform=node,
        generator=cast(K6, generator),
        cooldown=Cooldown(node, CooldownConfig(max_wait_seconds=0)),
        functions={"f": FunctionConfig(name="f")},
        duration_s=10,
        rules=OverloadConfig(),
        context_hash="context",
    )


def measured(node: Node | None = None, generator: Generator | None = None) -> ExecutionEvent:
    source = live_source(node or Node(), generator or Generator())
    return source.measure([("f", 50)], iteration=3, rng=np.random.default_rng(0))


def test_it_is_a_measurement_source_and_stops_its_node() -> None:
    node = Node()
    source = live_source(node, Generator())
    assert isinstance(source, MeasurementSource)
    source.close()
    assert node.stopped


def test_a_run_becomes_an_event_with_load_use_and_verdict() -> None:
    event = measured()
    assert (event.config_key, event.iteration, event.verdict) == ((("f",), (50,)), 3, Verdict.OK)
    assert (event.functions[0].offered, event.functions[0].replicas, event.functions[0].cpu_pct) == (500, 1, 20)
    assert (event.node.cpu_pct, event.node.idle_cpu_pct, event.node.ram_pct) == (20, 20, 10)
    assert (event.context_hash, event.generator_cpu_pct, event.raw_summary) == ("context", 5, {"metrics": {}})
    assert 0 <= event.cooldown_s <= event.cost_s <= event.ended_at - event.started_at + 1e-6


def test_use_is_that_of_the_steady_part_of_the_load() -> None:
    node = Node()
    measured(node)
    assert node.windows[-1] == pytest.approx((102.0, 111.0))


def test_a_failing_function_is_overloaded() -> None:
    event = measured(generator=Generator(success=0.5))
    assert (event.verdict, event.overloaded_functions) == (Verdict.OVERLOADED, ("f",))


@pytest.mark.parametrize(
    ("node", "generator", "reason"),
    [
        (Node(), Generator(error="k6 failed with exit code 107"), "k6 failed with exit code 107"),
        (Node(failed="function 'f' ended with exit code 1"), Generator(), "function 'f' ended with exit code 1"),
        (Node(), Generator(success=0.5, cpu_pct=95), "the load generator was saturated: k6 used 95 % of all cores"),
        (Node(), Generator(success=0.5, held_up=0.48), "k6 stood still for 48 % of the run"),
    ],
)
def test_a_run_that_says_nothing_of_the_node_is_invalid_and_says_why(
    node: Node, generator: Generator, reason: str
) -> None:
    event = measured(node, generator)
    assert event.verdict is Verdict.INVALID
    assert event.reasons[0].startswith(reason)


def test_a_saturated_generator_does_not_spoil_a_run_without_failures() -> None:
    assert measured(generator=Generator(cpu_pct=95)).verdict is Verdict.OK
    assert measured(generator=Generator(held_up=0.9)).verdict is Verdict.OK


def test_a_generator_that_is_a_little_late_may_still_find_a_node_overloaded() -> None:
    assert measured(generator=Generator(success=0.5, held_up=0.02)).verdict is Verdict.OVERLOADED


@pytest.mark.parametrize(
    ("machine_cpu_pct", "generator_cpu_pct", "crowded_out"),
    [
        (100.0, 5.0, 187),  # other programs use 75 % of the machine: three quarters of 250 waiting requests
        (100.0, 80.0, 0),  # the rest of the machine is the load generator's
        (25.0, 5.0, 0),
        (None, 5.0, 0),
    ],
)
def test_requests_that_other_programs_crowd_out_are_counted(
    machine_cpu_pct: float | None, generator_cpu_pct: float, crowded_out: int
) -> None:
    node = Node()
    waiting = {"f": Usage(20.0, 2**20, replicas=1, waiting_pct=50.0)}
    machine = machine_cpu_pct and MachineUsage(machine_cpu_pct, functions_cpu_pct=20.0)
    node.use = replace(node.use, functions=waiting, machine=machine or None)
    event = measured(node, Generator(success=0.8, cpu_pct=generator_cpu_pct))
    assert event.functions[0].crowded_out == pytest.approx(crowded_out, abs=1)
    assert event.verdict is (Verdict.INVALID if crowded_out else Verdict.OVERLOADED)


@pytest.mark.parametrize(
    ("use", "doubts"),
    [
        (
            {"machine": MachineUsage(99.0, functions_cpu_pct=0.0)},
            ("in doubt: f may have lacked CPU: programs used 99 % of this machine's",),
        ),
        ({"machine": MachineUsage(60.0, functions_cpu_pct=0.0)}, ()),
        (
            {"node": Usage(99.0, 2**20, 10.0)},
            ("in doubt: 99 % of the node's CPU was used, only 20 % by its functions",),
        ),
        ({"node": Usage(99.0, 2**20, 10.0), "functions": {"f": Usage(70.0)}}, ()),
    ],
)
def test_an_overload_is_in_doubt_where_other_programs_may_have_used_the_cpu(
    use: dict[str, Any], doubts: tuple[str, ...]
) -> None:
    node = Node()

    def rise() -> None:
        node.use = replace(node.use, **use)

    generator = Generator(success=0.5)
    generator.meanwhile = rise  # at rest, it is idle
    event = measured(node, generator)
    assert event.verdict is Verdict.OVERLOADED
    assert tuple(reason for reason in event.reasons if reason.startswith("in doubt")) == doubts
    calm = Generator()
    calm.meanwhile = rise
    judged_ok = replace(live_source(node, calm), rules=OverloadConfig(cpu_overload_pct_of_capacity=None))
    assert judged_ok.measure([("f", 50)], iteration=0, rng=np.random.default_rng(0)).reasons == ()


def test_a_function_that_dies_during_the_load_makes_the_run_invalid_whatever_k6_says() -> None:
    node, generator = Node(), Generator()

    def die() -> None:
        node.failed = "function 'f' was ended by SIGKILL"

    generator.meanwhile = die
    event = measured(node, generator)
    assert (event.verdict, event.reasons) == (Verdict.INVALID, ("function 'f' was ended by SIGKILL",))
    assert event.functions[0].offered == 500


# What measures the node


def test_metrics_that_fail_after_the_load_make_the_run_invalid_and_keep_what_k6_counted() -> None:
    node, generator = Node(), Generator()

    def fail() -> None:
        node.unreachable = "prometheus_url http://127.0.0.1:9: connection refused"

    generator.meanwhile = fail
    event = measured(node, generator)
    assert (event.verdict, event.reasons) == (Verdict.INVALID, (node.unreachable,))
    assert event.functions[0].offered == 500


def test_metrics_that_fail_before_the_load_keep_k6_from_starting() -> None:
    node = Node()
    node.unreachable = "prometheus_url http://127.0.0.1:9: connection refused"
    event = measured(node, Generator(error="must not be called"))
    assert event.verdict is Verdict.INVALID
    assert event.reasons == (f"not at rest after 0 s of cooldown: {node.unreachable}",)


def test_what_was_not_measured_is_invalid_and_says_why() -> None:
    node, generator = Node(), Generator()

    def go_blind() -> None:
        node.use = replace(node.use, node=Usage(ram_bytes=1, ram_pct=10.0), missing=("cpu: no series",))

    generator.meanwhile = go_blind
    assert measured(node, generator).reasons == ("CPU of the node not measured", "cpu: no series")


# Clocks


NOON = Moment(wall_s=1000.0, all_s=100.0, awake_s=100.0)


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (Moment(1012.0, 112.0, 112.0), None),
        (Moment(1012.1, 112.0, 112.0), None),
        (Moment(1042.0, 112.0, 112.0), "the clock was set by +30.0 s during the run"),
        (Moment(982.0, 112.0, 112.0), "the clock was set by -30.0 s during the run"),
        (Moment(1612.0, 712.0, 112.0), "the machine slept for 600.0 s during the run"),
    ],
)
def test_a_clock_that_was_set_or_a_machine_that_slept_makes_the_run_invalid(later: Moment, reason: str | None) -> None:
    moments = iter([NOON, later])
    node = Node()
    source = replace(live_source(node, Generator()), clock=lambda: next(moments))
    event = source.measure([("f", 50)], iteration=0, rng=np.random.default_rng(0))
    assert (event.verdict, event.reasons) == ((Verdict.INVALID, (reason,)) if reason else (Verdict.OK, ()))
    assert len(node.windows) == (1 if reason else 2)  # a window of another time is not asked for: it may be to come


def test_the_clocks_of_this_machine_agree() -> None:
    began = Moment.now()
    time.sleep(0.3)
    assert began.jump_until(Moment.now()) is None


class BusyMachine:
    """Has its clocks stand still, but for what it does before a reading of the wall clock: a pause at a time."""

    def __init__(self, *pauses_s: float) -> None:
        self._now_s, self._pauses_s = 100.0, iter(pauses_s)

    def monotonic(self) -> float:
        return self._now_s

    def clock_gettime(self, which: int) -> float:
        return self._now_s

    def time(self) -> float:
        self._now_s += next(self._pauses_s, 0.0)
        return 1000.0 + self._now_s


@pytest.mark.parametrize(
    ("pauses_s", "apart_s"), [((0.5,), 0.0), ((0.5, 0.005), 0.005), ((0.5, 0.5, 0.02, *[0.5] * 7), 0.02)]
)
def test_clocks_that_were_not_read_at_one_time_are_read_again(
    pauses_s: tuple[float, ...], apart_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peva_env.system.clock.time", BusyMachine(*pauses_s))
    moment = Moment.now()
    assert moment.wall_s - moment.awake_s == pytest.approx(1000.0 + apart_s)
    assert moment.all_s == moment.awake_s


def test_what_a_run_cost_does_not_hang_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    times = count(10_000_000.0, -3600.0)
    monkeypatch.setattr("time.time", lambda: next(times))
    event = measured()
    assert 0 <= event.cost_s < 60
    assert event.ended_at == event.started_at + event.cost_s


def test_a_node_that_does_not_come_to_rest_is_not_loaded() -> None:
    node = Node()
    source = live_source(node, Generator(error="must not be called"))
    source.cooldown.wait()
    node.use = NodeUsage(Usage(70.0, 2**20, 10.0))
    event = source.measure([("f", 50)], iteration=0, rng=np.random.default_rng(0))
    assert event.verdict is Verdict.INVALID
    assert "not at rest" in event.reasons[0]


# --- runs that are ended early ----------------------------------------------------------------------------------------


def cut_short(node: Node, success: float, use: NodeUsage | None = None) -> ExecutionEvent:
    """Measure a run of 10 s that ends after 2 s; ``use`` is what is measured of the node then."""
    generator = Generator(success)
    generator.meanwhile = lambda: setattr(node, "use", use or node.use)
    generator.aborted_after_s = 2.0
    source = replace(live_source(node, generator), early_abort=True)
    event = source.measure([("f", 50)], iteration=3, rng=np.random.default_rng(0))
    assert generator.most_failures == [25], "5 % of 501 requests"
    return event


def test_a_run_that_was_ended_early_tells_its_bound_and_how_long_it_was() -> None:
    node = Node()
    event = cut_short(node, success=0.5)
    assert (event.verdict, event.duration_s) == (Verdict.OVERLOADED, 2.0)
    assert event.reasons[0] == "aborted after 2.0 s of 10 s: overloaded even if the rest had succeeded"
    assert event.margin == pytest.approx((1 - 50 / 501 - 0.95) / 0.95)
    assert (event.functions[0].offered, event.functions[0].success_rate) == (100, 0.5)
    assert node.windows[-1] == (102.0, 103.0)


def test_a_run_that_was_ended_early_needs_no_cpu_to_be_overloaded() -> None:
    event = cut_short(Node(), success=0.5, use=NodeUsage(missing=("CPU of the node: one scrape",)))
    assert (event.verdict, event.node.cpu_pct) == (Verdict.OVERLOADED, None)


def test_without_early_abort_k6_is_not_asked_to_end_early() -> None:
    generator = Generator()
    measured(generator=generator)
    assert generator.most_failures is None


def stopping(node: Node, generator: Generator, **rules: Any) -> ExecutionEvent:
    """Measure a run of 30 s that may be ended when its verdict is decided."""
    source = replace(live_source(node, generator), stop_early=True, duration_s=30.0, rules=OverloadConfig(**rules))
    return source.measure([("f", 50)], iteration=0, rng=np.random.default_rng(0))


def test_a_run_that_is_clearly_ok_is_stopped_and_has_the_use_of_its_part() -> None:
    node, generator = Node(), Generator()
    event = stopping(node, generator, p95_ms_max=300)
    assert (event.verdict, event.duration_s) == (Verdict.OK, 11.0)
    assert event.reasons == ("stopped after 11.0 s of 30 s: clearly OK",)
    assert generator.slow_ms == [(200,)]
    assert node.windows[-3:] == [(102.0, 107.0), (107.0, 112.0), (102.0, 112.0)]


def test_a_run_that_is_clearly_overloaded_is_stopped_sooner() -> None:
    event = stopping(Node(), Generator(success=0.5))
    assert (event.verdict, event.duration_s) == (Verdict.OVERLOADED, 3.0)
    assert event.reasons[0] == "stopped after 3.0 s of 30 s: clearly overloaded"


def test_an_overload_that_other_programs_may_explain_stops_no_run() -> None:
    node = Node()
    used = Usage(20.0, 2**20, replicas=1, waiting_pct=25.0)
    node.use = NodeUsage(Usage(20.0, 2**20, 10.0), {"f": used}, machine=MachineUsage(100.0, 20.0))
    event = stopping(node, Generator(success=0.7))
    assert event.duration_s == 30.0
    generator = Generator()
    generator.changed = lambda function: replace(function, mean_ms=20.0 + function.offered)
    assert stopping(node, generator).duration_s == 30.0, "the queue may grow because of them"


@pytest.mark.parametrize("success", [0.5, 1.0])
def test_a_run_is_not_stopped_while_the_node_cannot_be_measured(success: float) -> None:
    node, generator = Node(), Generator(success=success)
    generator.meanwhile = lambda: setattr(node, "unreachable", "Prometheus is gone")
    assert stopping(node, generator).duration_s == 30.0
    assert generator.aborted_after_s is None, "other programs may explain what nothing measures"


def test_a_queue_that_grows_is_a_backlog_of_the_stopped_run() -> None:
    generator = Generator()

    def growing(function: FunctionMeasurement) -> FunctionMeasurement:
        return replace(function, mean_ms=20.0 + 50 * function.offered / 50)  # as the mean of what grows by 0.1 s per s

    generator.changed = growing
    event = stopping(Node(), generator)
    assert (event.verdict, event.duration_s) == (Verdict.OVERLOADED, 8.0)
    assert event.reasons[1].startswith("backlog of f: it served 45.")
    assert event.functions[0].backlog == pytest.approx(36, abs=2)


def test_a_run_that_cannot_be_measured_meanwhile_goes_on_to_its_end() -> None:
    node, generator = Node(), Generator()
    node.use = NodeUsage(missing=("CPU of the node: one scrape",))
    event = stopping(node, generator)
    assert (event.verdict, event.duration_s) == (Verdict.INVALID, 30.0)
    assert generator.aborted_after_s is None


def test_without_stop_early_nobody_watches_a_run_and_nothing_is_counted_for_it() -> None:
    generator = Generator()
    measured(generator=generator)
    assert (generator.watcher, generator.slow_ms) == (None, [()])


def test_an_invalid_run_names_its_cause_and_not_what_else_is_missing() -> None:
    node, generator = Node(), Generator(success=0.2)
    node.use = replace(node.use, missing=("ram_usage_function of f: no data", "cpu_usage_node: gave NaN"))
    generator.kind = "status_404"
    event = measured(node, generator)
    assert event.reasons == ("f was not there for most of 500 requests: 400 status_404",)


def scouted(node: Node, generator: Generator, step_s: float = 5.0) -> list[ExecutionEvent]:
    configs = [[("f", 10)], [("f", 20)]]
    return live_source(node, generator).scout(configs, step_s=step_s, tag="f-1")


def test_each_step_of_a_scouting_is_judged_like_a_run_and_is_no_measurement() -> None:
    node, generator = Node(), Generator(success=0.8)
    first, second = scouted(node, generator)
    assert (first.kind, second.kind) == (EventKind.SCOUTED, EventKind.SCOUTED)
    assert [event.config_key for event in (first, second)] == [(("f",), (10,)), (("f",), (20,))]
    assert (first.verdict, first.is_valid) == (Verdict.OVERLOADED, False)
    assert first.reasons[0].startswith("success of f 0.800 < 0.9")
    assert node.windows[-2:] == [pytest.approx((102.0, 106.0)), pytest.approx((107.0, 111.0))]
    assert (second.started_at, second.ended_at, second.duration_s, second.cost_s) == (106.0, 111.0, 5.0, 5.0)
    assert (first.node.cpu_pct, first.context_hash, generator.tags) == (20, "context", {"scouting": "f-1"})
    assert generator.most_failures == [2], "5 % of 51 requests"


@pytest.mark.parametrize("is_scouting", [False, True])
@pytest.mark.parametrize("waiting_pct", [50.0, 0.5])
def test_a_run_that_other_programs_spoilt_lets_the_next_cooldown_wait_for_them(
    is_scouting: bool, waiting_pct: float
) -> None:
    asked: list[float] = []

    def others_pct(window_s: float) -> float:
        asked.append(window_s)
        return 0.0

    node = Node()
    use = {"f": Usage(20.0, 2**20, replicas=1, waiting_pct=waiting_pct)}
    node.use = replace(node.use, functions=use, machine=MachineUsage(100.0, functions_cpu_pct=20.0))
    cooldown = Cooldown(node, CooldownConfig(max_wait_seconds=0), others_pct=others_pct)
    source = replace(live_source(node, Generator(success=0.85)), cooldown=cooldown)
    for _ in range(2):
        if is_scouting:
            source.scout([[("f", 50)]], step_s=5, tag="1")
        else:
            source.measure([("f", 50)], iteration=0, rng=np.random.default_rng(0))
    assert len(asked) == (waiting_pct > 1)


def test_what_goes_wrong_outside_of_the_node_makes_a_step_invalid_and_no_break() -> None:
    for generator in (Generator(success=0.5, held_up=0.5), Generator(error="k6 died")):
        events = scouted(Node(), generator)
        assert {event.verdict for event in events} == {Verdict.INVALID}
    (failed,) = scouted(Node(failed="f died"), Generator())
    assert (failed.verdict, failed.reasons, failed.kind) == (Verdict.INVALID, ("f died",), EventKind.SCOUTED)


def test_steps_too_short_for_the_metrics_are_judged_without_cpu_and_ram() -> None:
    node = Node(cpu_pct=99.0)
    assert {event.verdict for event in scouted(node, Generator(), step_s=5)} == {Verdict.OVERLOADED}
    node.min_window_s = 12.5
    assert {event.verdict for event in scouted(node, Generator(), step_s=5)} == {Verdict.OK}


@pytest.mark.parametrize("rule", ["CPU", "RAM", "p95", "backlog", "success"])
def test_a_climb_ends_at_the_first_step_that_is_overloaded_by_any_rule(rule: str) -> None:
    node, generator = Node(), Generator()

    def changed(function: FunctionMeasurement) -> FunctionMeasurement:
        """Break the rule from 40 requests/s on."""
        is_broken = function.rate_rps >= 40
        used = {"CPU": Usage(95.0, 2**20, 10.0), "RAM": Usage(20.0, 2**20, 95.0)}.get(rule, node.use.node)
        node.use = replace(node.use, node=used if is_broken else Usage(20.0, 2**20, 10.0))
        kinds: dict[str, dict[str, Any]] = {
            "p95": {"p95_ms": 300.0}, "backlog": {"backlog": 20}, "success": {"success_rate": 0.5}
        }  # fmt: skip
        return replace(function, **{"p95_ms": 20.0, **(kinds.get(rule, {}) if is_broken else {})})

    generator.changed = changed
    source = replace(live_source(node, generator), rules=OverloadConfig(p95_ms_max=200), warm_up_s=2.0)
    climb = [[("f", rate)] for rate in (10, 20, 40, 80, 160)]
    events = source.scout(climb, step_s=5, tag="1", one_by_one=True)
    assert [event.config_key[1] for event in events] == [(10,), (20,), (40,)]
    assert [event.verdict for event in events] == [Verdict.OK, Verdict.OK, Verdict.OVERLOADED]
    assert rule in events[-1].reasons[0]
    assert (generator.warm_ups_s, generator.tags) == ([2.0, 0.0, 0.0], {"scouting": "1-2"})


# Several generators


def test_a_saturated_run_names_the_generators_of_the_machine() -> None:
    class Saturated(Generator):
        def run(self, *args: Any, **options: Any) -> LoadResult:
            return replace(super().run(*args, **options), busiest="generator 2 of 4 on 10.0.0.7")

    (reason,) = measured(Node(), Saturated(success=0.5, cpu_pct=93.0)).reasons
    assert reason.startswith(
        "generator 2 of 4 on 10.0.0.7: the load generator was saturated: k6 used 93 % of all cores"
    )


def test_several_generators_are_scouted_step_by_step() -> None:
    generator = Generator()
    generator.n_generators = 4
    events = scouted(Node(), generator)
    assert len(events) == len(generator.warm_ups_s) > 1
