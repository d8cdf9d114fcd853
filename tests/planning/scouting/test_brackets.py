"""The bracket of a ray, and the line that tells it."""

from dataclasses import replace

import pytest

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.planning import Bracket, brackets, outcome_text
from tests.support.builders import event

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID
WHY = ("aborted after 2.0 s of 5 s: overloaded even if the rest had succeeded", "success of a 0.500 < 0.9")


def step(rate: int, verdict: Verdict, name: str = "a") -> ExecutionEvent:
    made: ExecutionEvent = event([(name, rate)], 0, verdict, reasons=WHY if verdict is OVERLOADED else ())
    return replace(made, kind=EventKind.SCOUTED)


def bracket(**verdicts: Verdict) -> Bracket:
    (found,) = brackets(step(int(rate[1:]), verdict) for rate, verdict in verdicts.items())
    return found


def test_a_bracket_is_the_highest_ok_and_the_lowest_overloaded_step() -> None:
    found = bracket(r10=OK, r40=OVERLOADED, r20=OK, r30=OVERLOADED, r25=INVALID)
    assert (found.ok, found.overloaded, found.breaks_at_random) == ([("a", 20)], [("a", 30)], False)
    assert found.limit_rps() == {"a": 25.0}
    assert outcome_text(found) == "a: the limit is between a 20 rps and a 30 rps (success of a 0.500 < 0.9)"


@pytest.mark.parametrize(
    ("verdicts", "line"),
    [
        ({"r10": OVERLOADED, "r1": OVERLOADED}, "a: overloaded at its lowest step, a 1 rps (success of a 0.500 < 0.9)"),
        ({"r10": OK, "r20": OK}, "a: never overloaded, up to a 20 rps: a map up to there is all OK"),
        (
            {"r10": OK, "r20": INVALID},
            "a: never overloaded, up to a 10 rps: a map up to there is all OK; higher steps were INVALID",
        ),
        (
            {"r10": OK, "r20": OVERLOADED, "r40": OK},
            "a: breaks at random: a 20 rps was overloaded, a 40 rps was OK (success of a 0.500 < 0.9)",
        ),
        (
            {"r10": OK, "r20": OVERLOADED, "r22": OK},
            "a: the limit is about a 20 rps, where it breaks at random (success of a 0.500 < 0.9)",
        ),
    ],
    ids=["fails at once", "never breaks", "k6 breaks first", "breaks at random", "noise at the limit"],
)
def test_a_function_without_a_limit_of_its_own_is_told_in_one_line(verdicts: dict[str, Verdict], line: str) -> None:
    assert outcome_text(bracket(**verdicts)) == line


def test_where_it_breaks_at_random_the_bracket_holds_all_that_contradicts() -> None:
    found = bracket(r10=OK, r20=OVERLOADED, r40=OK, r80=OVERLOADED)
    assert (found.ok, found.overloaded, found.limit_rps()) == ([("a", 10)], [("a", 80)], {"a": 45.0})


def test_the_same_rate_with_both_verdicts_is_random() -> None:
    (found,) = brackets([step(10, OK), step(20, OK), step(20, OVERLOADED)])
    assert found.breaks_at_random
    assert found.ok == [("a", 10)]


def test_each_set_of_functions_is_a_ray_and_other_events_are_none() -> None:
    both = replace(event([("a", 5), ("b", 5)]), kind=EventKind.SCOUTED)
    found = brackets([both, step(10, OK, "b"), step(10, OK), event([("c", 1)]), step(10, INVALID, "d")])
    assert [one.names for one in found] == [("a",), ("b",), ("a", "b")]
