"""Live measurements: k6 against a node that serves real functions."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peva_env.config import FunctionConfig, OverloadConfig, request_headers
from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.errors import LoadGeneratorError, MetricsError
from peva_env.platforms import Cooldown, NodeUsage, Platform, Rest, Usage, steady_window
from peva_env.rules import (
    NOT_MEASURED,
    Judgement,
    judge,
    judge_aborted,
    judge_stopped,
    most_failures,
    saturation,
    slow_ms,
)
from peva_env.sources.k6 import K6, FunctionLoad, LoadResult, Step
from peva_env.sources.leftovers import queue_left_s
from peva_env.sources.other_programs import crowded_share, doubts, is_spoilt
from peva_env.sources.run_watch import RunWatch
from peva_env.space import Config, config_key
from peva_env.system import Moment

_LEAST_OFFERED = 0.95
"""Share of the planned requests below which a run is INVALID: it measured a lower rate than that of its name."""


@dataclass(frozen=True, slots=True)
class LiveSource:
    """Measures configurations with k6 on a started platform; cooldown, load, metrics and verdict make one event."""

    platform: Platform
    generator: K6
    cooldown: Cooldown
    functions: Mapping[str, FunctionConfig]
    duration_s: float
    rules: OverloadConfig
    context_hash: str
    warm_up_s: float = 0.0  # load before the run that is not judged
    early_abort: bool = False  # end a run as soon as its remaining requests cannot prevent the verdict OVERLOADED
    stop_early: bool = False  # end a run as soon as a sequential test decides its verdict
    run_id: str = ""  # the campaign's run id, a tag of k6's samples
    clock: Callable[[], Moment] = Moment.now

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:  # noqa: ARG002
        """Run one iteration. The randomness is that of the real node: ``rng`` is not used."""
        began_at, began = time.time(), time.monotonic()
        rest = self.cooldown.wait()
        problem = self.platform.failure() or rest.problem
        event = replace(self._unmeasured(config, began_at), iteration=iteration, cooldown_s=rest.waited_s)
        event = replace(event, reasons=(problem,)) if problem else self._load(event, config, rest)
        self._tell_cooldown([event])
        self.cooldown.expect_queue(queue_left_s(event.functions, self.warm_up_s + event.duration_s))
        cost_s = time.monotonic() - began
        return replace(event, ended_at=began_at + cost_s, cost_s=cost_s)

    def scout(
        self, configs: Sequence[Config], *, step_s: float, tag: str, one_by_one: bool = False
    ) -> list[ExecutionEvent]:
        """Offer configurations one after the other, each for ``step_s`` seconds, after one cooldown.

        Each step is judged like a run. The first step with so many failures that it is overloaded whatever becomes of
        the rest of it ends the steps. CPU and RAM do not count where a step is too short to measure them.

        Args:
            configs: of the same functions, each with a rate above 0.
            step_s: duration of a step in seconds.
            tag: the value of the tag ``scouting`` of k6's samples.
            one_by_one: whether each step is a process of k6, so that the first one that is not OK by any rule ends the
                steps; else they are one process, which only sees failures. Several generators always go step by step,
                for none of them sees the failures of the others.

        Returns:
            An event of the kind ``scouted`` for each step that was run. If k6 or the node failed, there is one event,
            INVALID, of the first step.
        """
        began_at, began = time.time(), time.monotonic()
        source = self._for_steps(step_s)
        rest = self.cooldown.wait()
        problem = self.platform.failure() or rest.problem
        failed = replace(source._unmeasured(configs[0], began_at), kind=EventKind.SCOUTED)
        if problem:
            events = [replace(failed, reasons=(problem,))]
        else:
            offer = source._one_by_one if one_by_one or self.generator.n_generators > 1 else source._steps
            events = offer(failed, configs, rest, tag)
        self._tell_cooldown(events)
        cost_s = time.monotonic() - began
        others_s = sum(event.duration_s for event in events[1:])
        first = replace(events[0], cost_s=cost_s - others_s, cooldown_s=rest.waited_s)
        later = [replace(event, cost_s=event.duration_s) for event in events[1:]]
        return [replace(event, ended_at=event.started_at + event.duration_s) for event in (first, *later)]

    def close(self) -> None:
        """Stop the node and the generators."""
        self.platform.stop()
        self.generator.close()

    def _tell_cooldown(self, events: Sequence[ExecutionEvent]) -> None:
        """Let the next cooldown be also for other programs, if they spoilt a run."""
        if any(map(is_spoilt, events)):
            self.cooldown.expect_crowd()

    def _unmeasured(self, config: Config, began_at: float) -> ExecutionEvent:
        return ExecutionEvent(
            config_key=config_key(config),
            iteration=0,
            verdict=Verdict.INVALID,
            started_at=began_at,
            duration_s=self.duration_s,
            context_hash=self.context_hash,
        )

    def _for_steps(self, step_s: float) -> "LiveSource":
        """Return this source for runs of ``step_s``."""
        try:
            start_s, end_s = steady_window(0.0, step_s)
            is_measured = end_s - start_s >= self.platform.min_window_s
        except MetricsError:  # the use of each step says so
            is_measured = True
        rules = self.rules if is_measured else self.rules.without_use()
        return replace(self, duration_s=step_s, rules=rules)

    def _steps(self, failed: ExecutionEvent, configs: Sequence[Config], rest: Rest, tag: str) -> list[ExecutionEvent]:
        began = self.clock()
        steps = [Step(self._loads(config), most_failures(config, self.duration_s, self.rules)) for config in configs]
        tags = ({"run_id": self.run_id} if self.run_id else {}) | {"scouting": tag}
        try:
            results = self.generator.run_steps(steps, step_s=self.duration_s, warm_up_s=self.warm_up_s, tags=tags)
        except LoadGeneratorError as error:
            return [replace(failed, reasons=(str(error),))]
        events = []
        for result in results:
            config = [(function.name, function.rate_rps) for function in result.functions]
            step = replace(failed, config_key=config_key(config), started_at=result.load_started_at)
            events.append(self._measured(step, rest, result, began))
        return events or [replace(failed, reasons=("k6 ended before the first step",))]

    def _one_by_one(
        self, failed: ExecutionEvent, configs: Sequence[Config], rest: Rest, tag: str
    ) -> list[ExecutionEvent]:
        """Offer each step by a process of its own, until one is not OK; only the first has a warm-up."""
        events: list[ExecutionEvent] = []
        for number, config in enumerate(configs):
            source = replace(self, warm_up_s=0.0) if number else self
            step = replace(failed, config_key=config_key(config), started_at=time.time()) if number else failed
            events += source._steps(step, [config], rest, f"{tag}-{number}")
            if events[-1].verdict is not Verdict.OK:
                break
        return events

    def _load(self, event: ExecutionEvent, config: Config, rest: Rest) -> ExecutionEvent:
        began = self.clock()
        loads, watch = self._loads(config), self._watch()
        if watch:
            loads = [replace(load, slow_ms=slow_ms(load.name, self.rules)) for load in loads]
        try:
            result = self.generator.run(
                loads,
                duration_s=self.duration_s,
                warm_up_s=self.warm_up_s,
                tags=self._tags(event),
                most_failures=self._most_failures(config),
                watcher=watch.read if watch else None,
            )
        except LoadGeneratorError as error:
            return replace(event, reasons=(str(error),))
        if watch and result.is_stopped:
            result = replace(result, functions=watch.with_backlog(result.functions))
        return self._measured(event, rest, result, began)

    def _watch(self) -> RunWatch | None:
        if not self.stop_early:
            return None
        timeout_s = self.generator.timeout_s
        return RunWatch(self.rules, duration_s=self.duration_s, timeout_s=timeout_s, usage=self.platform.usage)

    def _measured(self, event: ExecutionEvent, rest: Rest, result: LoadResult, began: Moment) -> ExecutionEvent:
        """Return the event of a run with what k6 and the platform measured, and its verdict."""
        usage, problem = self._steady_usage(result, began)
        functions = tuple(_with_usage(function, usage, result.generator_cpu_pct) for function in result.functions)
        node = _node(usage.node, rest.idle)
        judgement = self._judged(functions, node, result)
        problem = self.platform.failure() or problem or self._shortage(result) or _saturation(judgement, result)
        if problem:
            judgement = Judgement(Verdict.INVALID, (problem,))
        elif judgement.verdict is Verdict.INVALID:
            judgement = Judgement(Verdict.INVALID, (*judgement.reasons, *_causes(judgement, functions, usage)))
        judgement = judgement.doubted(doubts(functions, node, usage))
        return replace(
            judgement.given_to(event),
            functions=functions,
            node=node,
            generator_cpu_pct=result.generator_cpu_pct,
            duration_s=result.aborted_after_s or self.duration_s,
            raw_summary=result.raw_summary or None,
        )

    def _most_failures(self, config: Config) -> Sequence[int] | None:
        return most_failures(config, self.duration_s, self.rules) if self.early_abort else None

    def _judged(self, functions: Sequence[FunctionMeasurement], node: NodeMeasurement, result: LoadResult) -> Judgement:
        ran_s = result.aborted_after_s
        if ran_s is None:
            return judge(functions, node, self.rules)
        if result.is_stopped:
            return judge_stopped(functions, node, self.rules, duration_s=self.duration_s, ran_s=ran_s)
        return judge_aborted(functions, node, self.rules, duration_s=self.duration_s, ran_s=ran_s)

    def _shortage(self, result: LoadResult) -> str | None:
        """Return that k6 offered too few requests, because it stood still at the end of the load; else None."""
        for function in result.functions if result.aborted_after_s is None else ():
            planned = round(function.rate_rps * self.duration_s)
            if function.offered < _LEAST_OFFERED * planned - 1:
                return f"k6 offered {function.offered} of {planned} requests to {function.name}: it stood still"
        return None

    def _tags(self, event: ExecutionEvent) -> dict[str, str]:
        campaign = {"run_id": self.run_id} if self.run_id else {}
        return campaign | {"config_id": event.config_id, "iteration": str(event.iteration)}

    def _loads(self, config: Config) -> Sequence[FunctionLoad]:
        loads = []
        for name, rate_rps in config:
            function = self.functions[name]
            url = self.platform.url(name)
            loads.append(
                FunctionLoad(
                    name, rate_rps, url, function.method, function.body, request_headers(function), function.expect
                )
            )
        return loads

    def _steady_usage(self, result: LoadResult, began: Moment) -> tuple[NodeUsage, str | None]:
        """Return the use during the steady window of a run, or no use and why it cannot be measured."""
        jump = began.jump_until(self.clock())
        if jump:  # the window would be at another time, perhaps in the future
            return NodeUsage(), jump
        try:
            start_at, end_at = steady_window(result.load_started_at, self.duration_s)
            if result.aborted_after_s is not None:
                end_at = result.load_started_at + result.aborted_after_s
            return self.platform.usage(start_at, end_at), None
        except MetricsError as error:
            return NodeUsage(), str(error)


def _saturation(judgement: Judgement, result: LoadResult) -> str | None:
    """Return why a run that is not OK says nothing about the node: the load generator was at its limit; else None."""
    if judgement.verdict is Verdict.OK:
        return None
    problem = saturation(result.generator_cpu_pct)
    return f"{result.busiest}: {problem}" if problem and result.busiest else problem


def _causes(judgement: Judgement, functions: Sequence[FunctionMeasurement], usage: NodeUsage) -> Sequence[str]:
    """Return why values of the node were not measured, if their lack made the run INVALID."""
    if not any(reason.endswith(NOT_MEASURED) for reason in judgement.reasons):
        return ()
    of_functions = tuple(f" of {function.name}" for function in functions)
    return [line for line in usage.missing if not line.partition(": ")[0].endswith(of_functions)]


def _with_usage(
    function: FunctionMeasurement, usage: NodeUsage, generator_cpu_pct: float | None
) -> FunctionMeasurement:
    used = usage.functions.get(function.name, Usage())
    return replace(
        function,
        crowded_out=round(function.offered * crowded_share(used, usage, generator_cpu_pct or 0.0)),
        cpu_pct=used.cpu_pct,
        ram_bytes=used.ram_bytes,
        power_uw=used.power_uw,
        replicas=used.replicas,
    )


def _node(used: Usage, idle: Usage) -> NodeMeasurement:
    return NodeMeasurement(
        cpu_pct=used.cpu_pct,
        ram_bytes=used.ram_bytes,
        ram_pct=used.ram_pct,
        power_uw=used.power_uw,
        idle_cpu_pct=idle.cpu_pct,
        idle_ram_bytes=idle.ram_bytes,
        idle_ram_pct=idle.ram_pct,
        idle_power_uw=idle.power_uw,
    )
