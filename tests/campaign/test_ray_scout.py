"""Scouting one ray: climb, ladder, what was INVALID, and the time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from peva_env.campaign.ray_scout import RayScout
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import InvalidRunError
from peva_env.planning import Bracket, climb
from peva_env.space import Config
from tests.support.builders import event, function

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID


class Steps:
    """Answers steps by a rule of rate and number of the step, and stops at the first overloaded one as k6 does."""

    def __init__(self, verdict: Callable[[int, int], Verdict]) -> None:
        self.verdict = verdict
        self.now_s = 0.0
        self.asked: list[list[int]] = []
        self.n = 0
        self.looked: list[bool] = []
        self.rested_before: list[int] = []  # numbers of runs
        self.rests_s: list[float] = []
        self.measured: dict[str, Any] = {}  # what the functions of each step have besides

    def rest(self, seconds: float) -> None:
        self.now_s += seconds
        self.rests_s.append(seconds)
        self.rested_before.append(len(self.asked))

    def scout(self, configs: Sequence[Config], *, step_s: float, tag: str, one_by_one: bool) -> list[ExecutionEvent]:
        self.looked.append(one_by_one)
        self.asked.append([rate for config in configs for _, rate in config])
        events: list[ExecutionEvent] = []
        for config in configs:
            verdict = self.verdict(config[0][1], self.n)
            self.n += 1
            self.now_s += step_s
            reasons = () if verdict is OK else (f"because {tag}",)
            functions = [function(name, rate, **self.measured) for name, rate in config]
            step = event(config, 0, verdict, reasons=reasons, functions=tuple(functions))
            events.append(replace(step, kind=EventKind.SCOUTED))
            if verdict is not OK:
                break
        return events


class Silence:
    def starting(self, configs: Sequence[Config], step_s: float) -> None: ...

    def stepped(self, event: ExecutionEvent) -> None: ...

    def concluded(self, bracket: Bracket) -> None: ...


def scouted(steps: Steps, *, max_rate: int = 200, max_time_s: float = 1000.0) -> tuple[RayScout, Bracket | None]:
    stored: list[ExecutionEvent] = []
    scout = RayScout(
        steps, stored.append, Silence(), "me", 0, step_s=5.0, max_time_s=max_time_s, max_invalid_retries=2,
        clock=lambda: steps.now_s, sleep=steps.rest,
    )  # fmt: skip
    bracket = scout.scout(climb("a", max_rate))
    assert stored == scout.events
    assert len({one.event_key for one in stored}) == len(stored)
    assert all((one.run_id, one.repetition) == ("me", 0) for one in stored)
    return scout, bracket


def test_a_ladder_follows_the_climb_and_brackets_the_limit() -> None:
    steps = Steps(lambda rate, _: OVERLOADED if rate > 100 else OK)
    _, bracket = scouted(steps)
    assert steps.asked == [[10, 20, 40, 80, 160, 200], list(range(90, 161, 10))]
    assert steps.looked == [True, False], "each step of the climb is judged before the next"
    assert bracket is not None
    assert (bracket.ok, bracket.overloaded) == ([("a", 100)], [("a", 110)])
    assert steps.rested_before == [1], "the climb broke: what it queued up must not break the ladder"


@pytest.mark.parametrize(
    ("measured", "rest_s"),
    [
        ({"p99_ms": 100.0, "failed": {"status_5xx": 9}}, 0.2),
        ({"p99_ms": 4000.0}, 8.0),
        ({"p99_ms": 100.0, "failed": {"timeout": 1}}, 10.0),
        ({"p99_ms": 100.0, "dropped": 1}, 10.0),
        ({"p99_ms": 100.0, "backlog": 3}, 10.0),
        ({"p99_ms": None}, 10.0),
    ],
)
def test_after_a_break_the_node_rests_as_long_as_its_queue_may_last(measured: dict[str, Any], rest_s: float) -> None:
    steps = Steps(lambda rate, _: OVERLOADED if rate > 100 else OK)
    steps.measured = measured
    scouted(steps)
    assert steps.rests_s == [pytest.approx(rest_s)]


def test_a_step_that_was_invalid_is_offered_again() -> None:
    steps = Steps(lambda rate, n: INVALID if n == 2 else OVERLOADED if rate > 30 else OK)
    _, bracket = scouted(steps)
    assert steps.asked[:2] == [[10, 20, 40, 80, 160, 200], [40, 80, 160, 200]]
    assert bracket is not None
    assert (bracket.ok, bracket.overloaded) == ([("a", 30)], [("a", 32)])


def test_a_step_that_stays_invalid_is_left_out() -> None:
    steps = Steps(lambda rate, _: INVALID if 90 < rate < 120 else OVERLOADED if rate > 90 else OK)
    _, bracket = scouted(steps)
    assert bracket is not None
    assert (bracket.ok, bracket.overloaded) == ([("a", 90)], [("a", 120)])


def test_a_ray_that_breaks_outside_of_the_node_alone_is_no_break() -> None:
    _, bracket = scouted(Steps(lambda rate, _: INVALID if rate > 50 else OK))
    assert bracket is not None
    assert (bracket.highest_ok, bracket.first_overloaded) == ([("a", 40)], None)


def test_a_ray_without_a_valid_step_is_an_error_of_one_line() -> None:
    with pytest.raises(InvalidRunError, match=r"a \d+ rps: no step of this ray measured anything: because \d"):
        scouted(Steps(lambda *_: INVALID))


def test_steps_for_which_there_is_no_time_are_left_out() -> None:
    steps = Steps(lambda rate, _: OVERLOADED if rate > 100 else OK)
    scout, bracket = scouted(steps, max_time_s=22.0)
    assert (steps.asked, scout.is_out_of_time) == ([[10, 20, 40, 80]], True)
    assert bracket is not None
    assert bracket.first_overloaded is None
    scout, bracket = scouted(Steps(lambda *_: OK), max_time_s=1.0)
    assert (bracket, scout.is_out_of_time) == (None, True)


def test_a_function_that_breaks_at_random_is_seen() -> None:
    _, bracket = scouted(Steps(lambda rate, n: OVERLOADED if n == 4 else OK))
    assert bracket is not None
    assert bracket.breaks_at_random
