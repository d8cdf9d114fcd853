"""The steps along a ray."""

from dataclasses import replace

from peva_env.config import parse_config
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.planning import Bracket, Limits, brackets, climb, ladder, rays, together
from peva_env.space import Config
from tests.support.builders import event


def found(*steps: tuple[Config, Verdict]) -> list[Bracket]:
    events: list[ExecutionEvent] = [event(config, 0, verdict, reasons=("why",)) for config, verdict in steps]
    return brackets(replace(one, kind=EventKind.SCOUTED) for one in events)


def test_a_climb_doubles_up_to_its_bound() -> None:
    assert climb("a", 100) == [[("a", rate)] for rate in (10, 20, 40, 80, 100)]
    assert climb("a", 3) == [[("a", 3)]]
    assert climb("a", 10) == [[("a", 10)]]


def test_a_ray_is_bounded_by_the_rates_of_its_function_and_of_all() -> None:
    config = parse_config({"functions": [{"name": "a", "max_rate": 20}, {"name": "b"}]})
    tops = {name: steps[-1] for name, steps in rays(config, Limits(1000, 300)).items()}
    assert tops == {"a": [("a", 20)], "b": [("b", 300)]}


def test_a_ladder_begins_above_the_ok_end_of_the_bracket_and_holds_the_other() -> None:
    (bracket,) = found(([("a", 80)], Verdict.OK), ([("a", 160)], Verdict.OVERLOADED))
    assert ladder(bracket) == [[("a", rate)] for rate in range(90, 161, 10)]


def test_a_ladder_below_the_first_step_begins_above_nothing() -> None:
    (bracket,) = found(([("a", 5)], Verdict.OVERLOADED))
    assert ladder(bracket) == [[("a", rate)] for rate in (1, 2, 3, 4, 5)]


def test_there_is_no_ladder_where_nothing_broke() -> None:
    (bracket,) = found(([("a", 5)], Verdict.OK))
    assert ladder(bracket) == []


def test_all_together_grow_in_proportion_to_what_each_bears() -> None:
    singles = found(
        ([("a", 80)], Verdict.OK), ([("a", 90)], Verdict.OVERLOADED), ([("b", 1000)], Verdict.OK)
    )  # fmt: skip
    assert together(singles, Limits(1000)) == [
        [("a", 20), ("b", 250)], [("a", 40), ("b", 500)], [("a", 80), ("b", 1000)]
    ]  # fmt: skip
    capped = together(singles, Limits(1000, 540))
    assert capped[-1] == [("a", 40), ("b", 500)]
    assert len(capped) == 2


def test_a_function_that_bears_nothing_or_is_alone_has_no_ray_with_others() -> None:
    assert together(found(([("a", 80)], Verdict.OK)), Limits(1000)) == []
    dead = found(([("a", 1)], Verdict.OVERLOADED), ([("b", 80)], Verdict.OK))
    assert together(dead, Limits(1000)) == []
