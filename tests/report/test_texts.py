"""Texts of a report: the headline, the failures, and mixes that a further function makes OK."""

from dataclasses import replace
from typing import Any

import pytest

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.maps import NodeMap, savings_of
from peva_env.report.data.canary_data import canary_data
from peva_env.report.data.curve_data import curve_data
from peva_env.report.texts import certificate, headline
from peva_env.report.texts.failures import failures_of
from peva_env.report.texts.savings import savings_entries
from peva_env.report.texts.summary import map_counts
from peva_env.space import Config, ConfigSpace, Dominance
from tests.support.builders import function
from tests.support.report_maps import CONTEXT, node_map, runs
from tests.support.report_pages import unpacked

SPACE = ConfigSpace({"a": [10, 20, 30], "b": [10, 20, 30]}, max_functions=3)
OBJECTIVE = CONTEXT | {"overload": {"p95_ms_max": 60.0, "success_rate_function_min": 0.9}}


def slow(config: Config, p95_ms: float, success_rate: float = 1.0, **values: Any) -> list[ExecutionEvent]:
    """Return three runs of a configuration, OVERLOADED if they are beyond the objective."""
    verdict = Verdict.OVERLOADED if p95_ms > 60 or success_rate < 0.9 else Verdict.OK
    functions = tuple(
        function(name, rate, **{"offered": 100, "p95_ms": p95_ms, "success_rate": success_rate} | values)
        for name, rate in config
    )
    return runs(config, verdict, 3, functions=functions)


def by_objective(*events: ExecutionEvent) -> NodeMap:
    return node_map(SPACE, events, context=OBJECTIVE)


def test_the_headline_says_what_the_node_bears_what_breaks_first_and_how_much_is_known() -> None:
    one = by_objective(*slow([("a", 20), ("b", 20)], 40), *slow([("a", 30), ("b", 20)], 90), *slow([("a", 30)], 70))
    assert " ".join(headline(one)) == (
        "node-7 bears a 20 + b 20 requests/s together, with p95 latency under 60 ms (over 99.9 % sure). "
        "It breaks first by p95 latency of a: a 30 was overloaded in 3 of 3 runs. "
        "7 of 15 configurations of the map are known; 3 were measured."
    )


def test_of_mixes_of_as_many_functions_the_headline_has_the_highest_that_is_sure() -> None:
    one = by_objective(*slow([("a", 30), ("b", 10)], 59.9), *slow([("a", 10), ("b", 20)], 40))
    assert next(iter(headline(one))).startswith("node-7 bears a 10 + b 20 requests/s together")
    one = by_objective(*slow([("a", 30), ("b", 10)], 59.9), *slow([("a", 10)], 40))
    bears = next(iter(headline(one)))
    assert bears.startswith("node-7 bears a 30 + b 10 requests/s together, with p95 latency under 60 ms (only ")


def test_without_an_objective_the_headline_has_the_latency_that_was_measured() -> None:
    one = node_map(SPACE, [*runs([("a", 20)], Verdict.OK), *runs([("b", 30)], Verdict.OVERLOADED)])
    bears, breaks, _ = headline(one)
    assert bears.startswith("node-7 bears a 20 requests/s, with p95 latency at 57 ms (")
    assert breaks == "It breaks first by failed requests of b: b 30 was overloaded in 1 of 1 runs."


def test_the_headline_does_not_boast_of_a_mix_that_only_a_further_function_makes_ok() -> None:
    one = by_objective(*slow([("a", 20)], 90), *slow([("a", 20), ("b", 10)], 40))
    assert next(iter(headline(one))).startswith("node-7 bears a 20 + b 10")  # there is no other
    one = by_objective(*slow([("a", 20)], 90), *slow([("a", 20), ("b", 10)], 40), *slow([("a", 10), ("b", 20)], 40))
    assert next(iter(headline(one))).startswith("node-7 bears a 10 + b 20")
    (said,) = certificate.added_functions_text(one)
    assert said == (
        "1 measured configuration is OK although fewer functions at no higher rates are overloaded, such as a 20 + "
        "b 10 above a 20: adding a function can make a mix OK, because the rule on the mean success averages over the "
        "functions of a mix. This is no contradiction."
    )


def test_the_headline_does_not_boast_of_a_load_above_an_overloaded_one() -> None:
    """Where nothing is inferred OK, the campaign searches for no contradictions: that is for the reader to be told."""
    contradicted = [*slow([("a", 10), ("b", 10)], 90), *slow([("a", 30), ("b", 30)], 40)]
    one = node_map(SPACE, contradicted, context=OBJECTIVE, dominance="one_sided")
    assert next(iter(headline(one.doubting()))) == (
        "No load that node-7 bears was found that nothing contradicts: a 30 + b 30 was OK, but the lower a 10 + b 10 "
        "was overloaded."
    )
    one = node_map(SPACE, [*contradicted, *slow([("a", 20)], 40)], context=OBJECTIVE, dominance="one_sided")
    assert next(iter(headline(one.doubting()))).startswith("node-7 bears a 20 requests/s")


@pytest.mark.parametrize("dominance", ["one_sided", "within_sets"])
def test_what_is_contradicted_is_unknown_in_all_parts_of_a_report(dominance: Dominance) -> None:
    """A campaign that infers nothing OK believes each measurement; the page said that the map is known."""
    space = ConfigSpace({"a": [10, 15, 20, 30]})
    events = [*slow([("a", 10)], 90), *slow([("a", 20)], 40)]
    one = node_map(space, events, context=OBJECTIVE, dominance=dominance).doubting()
    assert " ".join(headline(one)) == (
        "No load that node-7 bears was found that nothing contradicts: a 20 was OK, but the lower a 10 was overloaded. "
        "0 of 4 configurations of the map are known; 2 were measured."
    )
    assert certificate.highest_ok(one) == []
    counts = dict(map_counts(one))
    assert (counts["OK"], counts["OVERLOADED"]) == ("0: 0 measured, 0 inferred",) * 2
    assert counts["contradicted"] == "3: measured runs contradict each other, so these count as unknown"
    assert "follows from the lowest overloaded (0)" in certificate.certificate_text(one)
    assert certificate.certificate_text(one).endswith("must be measured to know the rest.")
    said = certificate.contradictions_text(one, one.known.disputes())
    assert said.startswith("1 pair of configurations of which the higher one was OK and the lower one OVERLOADED.")


def test_what_is_contradicted_and_what_follows_from_it_is_unknown_alone() -> None:
    """Of the rest of the map all is as the campaign inferred it."""
    events = [*slow([("a", 10)], 90), *slow([("a", 20)], 40), *slow([("b", 10)], 40), *slow([("b", 20)], 90)]
    one = node_map(SPACE, events, context=OBJECTIVE, dominance="one_sided")
    assert [one.known.n_unknown, one.doubting().known.n_unknown] == [9, 12]
    assert one.doubting().known.verdict([("b", 30)]) is Verdict.OVERLOADED
    assert certificate.highest_ok(one.doubting()) == [[("b", 10)]]
    plain = node_map(SPACE, [*slow([("a", 10)], 40), *slow([("a", 20)], 90)], dominance="one_sided")
    assert plain.doubting() is plain


def test_what_was_measured_twice_as_often_is_in_quarantine_where_nothing_is_inferred_ok_too() -> None:
    events = [*slow([("a", 10)], 90) * 2, *slow([("a", 20)], 40) * 2, *slow([("b", 10)], 40)]
    one = node_map(SPACE, events, context=OBJECTIVE, dominance="one_sided").doubting()
    assert [dispute.state for dispute in one.known.disputes()] == ["quarantine"]
    assert one.known.verdict([("a", 20)]) is Verdict.OK
    assert one.known.verdict([("a", 30)]) is None
    assert certificate.highest_ok(one) == [[("b", 10)]]
    assert ", except 2 measured configurations that contradict each other." in certificate.certificate_text(one)


def test_what_an_ok_load_above_contradicts_is_not_what_breaks_first() -> None:
    events = [*slow([("a", 10)], 90), *slow([("a", 30)], 40), *slow([("b", 30)], 90, success_rate=0.5)]
    _, breaks, _ = headline(node_map(SPACE, events, context=OBJECTIVE, dominance="one_sided").doubting())
    assert ": b 30 was overloaded" in breaks


def test_a_node_that_bears_nothing_is_told_so() -> None:
    one = by_objective(*slow([("a", 10)], 90))
    assert next(iter(headline(one))) == "No load that node-7 bears was found."
    one = node_map(SPACE, runs([("a", 10)], Verdict.INVALID))
    assert list(headline(one)) == [
        "No load that node-7 bears was found.",
        "0 of 15 configurations of the map are known; 0 were measured.",
    ]


@pytest.mark.parametrize(
    ("n_rates", "n_measured", "said"),
    [
        (1, 1, "The only configuration of the map is known; 1 was measured."),
        (1, 0, "0 of 1 configuration of the map is known; 0 were measured."),
        (2, 2, "All 2 configurations of the map are known; 2 were measured."),
        (2, 1, "1 of 2 configurations of the map is known; 1 was measured."),
    ],
)
def test_how_much_is_known_reads_well_of_one_configuration_too(n_rates: int, n_measured: int, said: str) -> None:
    space = ConfigSpace({"a": range(1, n_rates + 1)})
    one = node_map(
        space, [run for a in range(1, n_measured + 1) for run in slow([("a", a)], 40)], dominance="one_sided"
    )
    assert list(headline(one))[-1] == said


def test_one_run_more_than_the_cartesian_agent_made_reads_well() -> None:
    one = node_map(SPACE, [*slow([("a", 10)], 90)[:1], *slow([("a", 20)], 90)[:1]], dominance="one_sided")
    assert dict(savings_entries(savings_of(one)))["saved so far"] == "nothing; 1 run more was made"


def test_failures_are_counted_by_function_and_kind_by_rule_and_by_why_a_run_measured_nothing() -> None:
    lost = slow([("a", 30), ("b", 10)], 40, 0.7, failed={"status_5xx": 20, "timeout": 2}, dropped=8)
    found = failures_of(by_objective(*lost, *slow([("a", 10)], 40), *runs([("b", 30)], Verdict.INVALID, 2)))
    assert (
        found.text == "Of 900 requests that valid runs offered, 180 failed (20.0 %), 100 % of them in OVERLOADED runs."
    )
    assert found.requests[0] == ("a", "status 5xx", "60", "10.00 %", "3")
    assert ("b", "not sent: all virtual users waited for answers", "24", "8.00 %", "3") in found.requests
    assert ("a", "no answer within the timeout", "6", "1.00 %", "3") in found.requests
    assert {rule: n for rule, n, _ in found.rules} == {"success of a": "3", "success of b": "3", "mean success": "3"}
    assert found.invalid == [("k6 failed", "2")]


def test_invalid_runs_whose_reasons_differ_in_a_number_only_are_of_one_kind() -> None:
    lost = [runs([("a", 10)], Verdict.INVALID, reasons=(f"k6 stood still for {n} % of the run",))[0] for n in (7, 8.5)]
    other = runs([("a", 10)], Verdict.INVALID, reasons=("the gateway answers 10.0.0.1: 5xx",))
    assert failures_of(by_objective(*lost, *other)).invalid == [
        ("k6 stood still for N % of the run", "2"),
        ("the gateway answers N: 5xx", "1"),
    ]


def test_without_failures_there_are_no_tables() -> None:
    found = failures_of(by_objective(*slow([("a", 10)], 40)))
    assert found.text == "Of 300 requests that valid runs offered, none failed."
    assert (found.requests, found.rules, found.invalid) == ([], [], [])


def test_curves_have_the_limits_of_each_function_and_the_rays_of_the_scouting() -> None:
    steps = [replace(run, kind=EventKind.SCOUTED) for run in (*slow([("a", 40)], 90)[:1], *slow([("a", 20)], 40)[:1])]
    one = replace(by_objective(*slow([("a", 10)], 40)), scouted=tuple(steps))
    data = curve_data(one)
    assert data["limits"]["p95Ms"] == [60.0, 60.0]
    assert data["limits"]["success"] == [0.9, 0.9]
    assert data["limits"]["meanMs"] == [None, None]
    (ray,) = data["scouting"]
    assert (ray["functions"], ray["rps"], ray["p95Ms"], ray["verdict"], ray["band"]) == (
        ["a"], [20, 40], [40, 90], [0, 1], [20, 40],
    )  # fmt: skip
    assert ray["text"].startswith("the limit is between a 20 rps and a 40 rps")


def test_a_canary_stands_between_the_runs_around_it() -> None:
    one = by_objective(*slow([("a", 10)], 40), *slow([("b", 10)], 40))
    (canary,) = slow([("a", 10)], 41)[:1]
    between = replace(canary, kind=EventKind.CANARY, started_at=one.events[3].started_at - 5)
    data = canary_data(replace(one, canaries=(between,)))
    assert list(unpacked(data["before"])) == [3]
    assert list(unpacked(data["p95Ms"])) == [41]
    assert data["config"] == [[("a", 10)]]
