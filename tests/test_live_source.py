"""Cooldown, load, use and verdict make one event; a run that measured nothing is an event too."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest

from peva_env.config import CooldownConfig, FunctionConfig, OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, MeasurementSource, Verdict
from peva_env.errors import LoadGeneratorError
from peva_env.platforms.base import NodeUsage, Usage
from peva_env.platforms.cooldown import Cooldown
from peva_env.sources.k6 import K6, FunctionLoad, LoadResult
from peva_env.sources.live import LiveSource


class Node:
    """Serves one function; ``failed`` is what it says of itself."""

    name = "fake"

    def __init__(self, failed: str | None = None, cpu_pct: float = 20.0) -> None:
        self.failed = failed
        self.use = NodeUsage(Usage(cpu_pct, 2**20, 10.0), {"f": Usage(cpu_pct, 2**20, replicas=1)})
        self.windows: list[tuple[float, float]] = []
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
        return self.use


class Generator:
    """Succeeds with a share of the load, or raises."""

    def __init__(self, success: float = 1.0, cpu_pct: float | None = 5.0, error: str | None = None) -> None:
        self.success, self.cpu_pct, self.error = success, cpu_pct, error

    def run(self, loads: Sequence[FunctionLoad], *, duration_s: float, tags: Mapping[str, str]) -> LoadResult:
        if self.error:
            raise LoadGeneratorError(self.error)
        functions = tuple(self._measured(load, duration_s) for load in loads)
        return LoadResult(functions, 100.0, 112.0, 101.0, self.cpu_pct, {"metrics": {}})

    def _measured(self, load: FunctionLoad, duration_s: float) -> FunctionMeasurement:
        offered = round(load.rate_rps * duration_s)
        succeeded = round(offered * self.success)
        failed = {"status_5xx": offered - succeeded}
        return FunctionMeasurement(load.name, load.rate_rps, offered, offered, 0, succeeded, failed, self.success)


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


def test_a_node_that_does_not_come_to_rest_is_not_loaded() -> None:
    node = Node()
    source = live_source(node, Generator(error="must not be called"))
    source.cooldown.wait()
    node.use = NodeUsage(Usage(70.0, 2**20, 10.0))
    event = source.measure([("f", 50)], iteration=0, rng=np.random.default_rng(0))
    assert event.verdict is Verdict.INVALID
    assert "not at rest" in event.reasons[0]
