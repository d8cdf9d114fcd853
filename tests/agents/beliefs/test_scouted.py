"""The frontier that a scouting suggests: limits alone, and how much functions disturb each other."""

from dataclasses import replace

import numpy as np
import pytest

from peva_agents.beliefs import ScoutedFrontier
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.space import Config, ConfigSpace
from tests.support.builders import event

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED
SPACE = ConfigSpace({"a": range(10, 141, 10), "b": range(5, 71, 5)}, min_functions=1, max_functions=3)


def step(verdict: Verdict, **rates: int) -> ExecutionEvent:
    made: ExecutionEvent = event(list(rates.items()), 0, verdict, reasons=("why",))
    return replace(made, kind=EventKind.SCOUTED)


ALONE = [step(OK, a=99), step(OVERLOADED, a=101), step(OK, b=49), step(OVERLOADED, b=51)]


def log_load(frontier: ScoutedFrontier | None, config: Config) -> float:
    assert frontier is not None
    return float(frontier.log_load(SPACE.rates_of([config]))[0])


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, {(50, 25): 0, (50, 5): -0.5, (100, 50): 0.69}), (0.98, {(90, 45): -0.02, (50, 25): -0.6})],
)
def test_the_load_is_1_at_each_limit_that_was_scouted(share: float, expected: dict[tuple[int, int], float]) -> None:
    a, b = round(100 * share), round(50 * share)
    frontier = ScoutedFrontier.of(SPACE, [*ALONE, step(OK, a=a - 1, b=b), step(OVERLOADED, a=a + 1, b=b)])
    for function, limit in (("a", 100), ("b", 50)):
        assert log_load(frontier, [(function, limit)]) == pytest.approx(0, abs=1e-6)
    for (a, b), value in expected.items():
        assert log_load(frontier, [("a", a), ("b", b)]) == pytest.approx(value, abs=0.05)


def test_what_is_likely_follows_the_load_and_is_never_certain() -> None:
    frontier = ScoutedFrontier.of(SPACE, ALONE)
    assert frontier is not None
    likely = frontier.likely(SPACE.rates_of([[("a", rate)] for rate in (10, 90, 100, 110, 140)]))
    assert likely == pytest.approx([0, 0.05, 0.5, 0.93, 1], abs=0.05)
    assert np.all((likely > 0) & (likely < 1))


def test_a_function_that_never_broke_or_always_did_has_a_limit_all_the_same() -> None:
    frontier = ScoutedFrontier.of(SPACE, [step(OK, a=100), step(OVERLOADED, b=10)])
    assert frontier is not None
    assert frontier.limits_rps.tolist() == [120, 5]


def test_without_the_steps_of_each_function_there_is_none() -> None:
    assert ScoutedFrontier.of(SPACE, []) is None
    assert ScoutedFrontier.of(SPACE, ALONE[:2]) is None
    assert ScoutedFrontier.of(SPACE, [event([("a", 10)]), event([("b", 10)])]) is None, "runs are no steps"
