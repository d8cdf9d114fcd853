"""Scouting the rays of a node: climb, ladder, and again what went wrong outside of the node."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.errors import InvalidRunError
from peva_env.planning import Bracket, brackets, ladder
from peva_env.space import Config, ConfigKey, config_text

_DRAIN_STEPS = 2.0
"""Length of the rest after an overloaded step with a queue, in steps: the queue of a step at twice the capacity, and as
much again for the part of the step after it."""

_DRAIN_LATENCIES = 2.0
"""Length of the rest after any other overloaded step, as a multiple of its longest latency."""

_TIMEOUT = "timeout"
"""The name that k6's counts give a request without an answer in time."""


class StepSource(Protocol):
    """What offers steps: ``peva_env.sources.LiveSource``."""

    def scout(self, configs: Sequence[Config], *, step_s: float, tag: str, one_by_one: bool) -> list[ExecutionEvent]:
        """Offer configurations one after the other, until one is overloaded, and return an event for each.

        With ``one_by_one`` every rule ends them; else only failures do.
        """
        ...


class ScoutObserver(Protocol):
    """Observes a scouting, for displays."""

    def starting(self, configs: Sequence[Config], step_s: float) -> None:
        """Handle the start of steps in one run of k6."""
        ...

    def stepped(self, event: ExecutionEvent) -> None:
        """Handle a step; its event is already stored."""
        ...

    def concluded(self, bracket: Bracket) -> None:
        """Handle the bracket of a ray."""
        ...


@dataclass
class RayScout:
    """Scouts one ray after the other, within ``max_time_s`` altogether.

    After an overloaded step it rests until its queue is gone: at twice its capacity, a function without a limit queues
    as much as it serves, and the queue shows neither in CPU nor in RAM. A function that answers all that it refuses at
    once has no queue.

    ``store`` makes an event durable. ``is_out_of_time`` tells whether steps were left out for lack of time.
    """

    source: StepSource
    store: Callable[[ExecutionEvent], None]
    observer: ScoutObserver
    run_id: str
    repetition: int
    step_s: float
    max_time_s: float
    max_invalid_retries: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    events: list[ExecutionEvent] = field(default_factory=list)
    is_out_of_time: bool = False
    _began_s: float = field(init=False)
    _n_runs: int = 0
    _drain_s: float = 0.0
    _n_steps: Counter[ConfigKey] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._began_s = self.clock()

    def scout(self, first: Sequence[Config]) -> Bracket | None:
        """Scout the ray of these configurations, and return its bracket; None without time for a valid step.

        Raises:
            InvalidRunError: all its steps were INVALID, retries included.
        """
        names = tuple(name for name, _ in first[0])
        self._until_break(first, one_by_one=True)
        bracket = self._bracket(names)
        finer = ladder(bracket) if bracket else []
        if finer:
            self._until_break(finer, one_by_one=False)
            bracket = self._bracket(names)
        if bracket:
            self.observer.concluded(bracket)
        elif not self.is_out_of_time:
            last = self.events[-1]
            raise InvalidRunError(
                f"{config_text(last.config_pairs)}: no step of this ray measured anything: {'; '.join(last.reasons)}"
            )
        return bracket

    def _until_break(self, configs: Sequence[Config], *, one_by_one: bool) -> None:
        """Offer steps until one is overloaded or the last is OK.

        A step that was INVALID is offered again, and those above it. If it is INVALID again, it is left out: close to
        its limit a function is easily disturbed, and the steps above tell more.
        """
        invalid: list[Config] = []
        for _ in range(2 * (self.max_invalid_retries + 1)):
            offered = configs[: self._n_affordable()]
            if len(offered) < len(configs):
                self.is_out_of_time = True
            if not offered:
                return
            verdicts = self._run(offered, one_by_one=one_by_one)
            if Verdict.OVERLOADED in verdicts or verdicts[-1] is Verdict.OK:
                return
            n_ok = next(i for i, verdict in enumerate(verdicts) if verdict is not Verdict.OK)
            configs = configs[n_ok + (configs[n_ok] in invalid) :]
            invalid += configs[:1]

    def _n_affordable(self) -> int:
        left_s = self.max_time_s - (self.clock() - self._began_s)
        return max(0, int(left_s / self.step_s))

    def _run(self, configs: Sequence[Config], *, one_by_one: bool) -> list[Verdict]:
        if self._drain_s:
            self.sleep(self._drain_s)
        self.observer.starting(configs, self.step_s)
        self._n_runs += 1
        events = self.source.scout(configs, step_s=self.step_s, tag=str(self._n_runs), one_by_one=one_by_one)
        for event in events:
            number = self._n_steps[event.config_key]
            self._n_steps[event.config_key] += 1
            event = replace(event, run_id=self.run_id, repetition=self.repetition, iteration=number)
            self.store(event)
            self.events.append(event)
            self.observer.stepped(event)
        verdicts = [event.verdict for event in events]
        self._drain_s = max(
            (self._queue_s(event) for event in events if event.verdict is Verdict.OVERLOADED), default=0
        )
        return verdicts

    def _queue_s(self, event: ExecutionEvent) -> float:
        """Return how long the queue of an overloaded step may take to be served, in seconds."""
        functions = event.functions
        if any(one.dropped or one.backlog or one.failed.get(_TIMEOUT) or one.p99_ms is None for one in functions):
            return _DRAIN_STEPS * self.step_s
        return _DRAIN_LATENCIES * max(one.p99_ms or 0.0 for one in functions) / 1000

    def _bracket(self, names: tuple[str, ...]) -> Bracket | None:
        return next((bracket for bracket in brackets(self.events) if bracket.names == names), None)
