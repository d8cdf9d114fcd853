"""Judging stored runs by other rules: what can be judged, and what a run that was aborted early still says."""

from dataclasses import replace
from typing import Any

import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules import IN_DOUBT, judge, judge_aborted, judge_again
from tests.support.builders import event, function

_DEFAULT = OverloadConfig()
_CONFIG = [("a", 10)]
_NODE = NodeMeasurement(cpu_pct=50.0, ram_pct=30.0)


def _run(measured: FunctionMeasurement, node: NodeMeasurement = _NODE, **values: Any) -> ExecutionEvent:
    judged = judge([measured], node, _DEFAULT)
    made: ExecutionEvent = event(
        _CONFIG, 0, judged.verdict, reasons=judged.reasons, margin=judged.margin, functions=(measured,), node=node
    )
    return replace(made, **values)


def test_a_run_gets_verdict_reasons_and_margin_of_the_rules_in_question() -> None:
    rules = OverloadConfig(p95_ms_max=200)
    slow = _run(function(p95_ms=250.0, p50_ms=20.0))
    assert slow.verdict is Verdict.OK

    again = judge_again(slow, rules, 2.0)

    assert again.verdict is Verdict.OVERLOADED
    assert again.reasons == ("p95 latency of a 250.0 ms > 200 ms",)
    assert again.margin == pytest.approx(-0.25)
    assert again.overloaded_functions == ("a",)
    assert judge_again(again, _DEFAULT, 2.0) == slow


def test_a_run_without_the_measurement_that_a_rule_needs_is_invalid_and_valid_again_without_the_rule() -> None:
    unmetered = _run(function(), NodeMeasurement(ram_pct=30.0))
    assert unmetered.verdict is Verdict.INVALID

    relaxed = judge_again(unmetered, OverloadConfig(cpu_overload_pct_of_capacity=None), 2.0)

    assert (relaxed.verdict, relaxed.reasons) == (Verdict.OK, ())
    assert judge_again(relaxed, _DEFAULT, 2.0) == unmetered


def test_a_run_that_was_invalid_for_another_cause_stays_invalid() -> None:
    stalled = _run(function(), verdict=Verdict.INVALID, reasons=("the load generator was late for 60 % of the run",))

    assert judge_again(stalled, OverloadConfig(p95_ms_max=1), 2.0) is stalled


def test_a_skipped_configuration_cannot_be_judged() -> None:
    skipped = _run(
        function(), verdict=Verdict.INVALID, kind=EventKind.SKIPPED, reasons=("CPU of the node not measured",)
    )

    assert judge_again(skipped, _DEFAULT, 2.0) is skipped


def test_overload_by_stricter_rules_is_not_charged_to_a_node_whose_load_generator_was_saturated() -> None:
    saturated = _run(function(p95_ms=250.0), generator_cpu_pct=95.0)

    again = judge_again(saturated, OverloadConfig(p95_ms_max=200), 2.0)

    assert again.verdict is Verdict.INVALID
    assert "saturated" in again.reasons[0]
    assert judge_again(saturated, OverloadConfig(p95_ms_max=300), 2.0).verdict is Verdict.OK


def test_a_verdict_without_stored_measurements_does_not_outlive_its_rules() -> None:
    bare = event(_CONFIG, 0, Verdict.OVERLOADED, functions=())

    again = judge_again(bare, OverloadConfig(p95_ms_max=200), 2.0)

    assert (again.verdict, again.margin) == (Verdict.INVALID, None)


@pytest.mark.parametrize(
    ("success_rate_min", "verdict"), [(0.9, Verdict.OVERLOADED), (0.6, Verdict.OVERLOADED), (0.4, Verdict.INVALID)]
)
def test_an_aborted_run_is_a_bound_that_decides_what_it_can(success_rate_min: float, verdict: Verdict) -> None:
    """Of 41 requests of the plan, 20 had failed: at best, 0.51 of all succeed."""
    lost = function(offered=20, sent=20, succeeded=0, failed={"status_503": 20}, success_rate=0.0)
    bound = judge_aborted([lost], _NODE, _DEFAULT, duration_s=4.0, ran_s=2.0)
    aborted = replace(_run(lost), verdict=bound.verdict, reasons=bound.reasons, margin=bound.margin, duration_s=2.0)

    again = judge_again(
        aborted, OverloadConfig(success_rate_function_min=success_rate_min, success_rate_node_min=None), 4.0
    )

    assert again.verdict is verdict
    assert again.reasons[0].startswith("aborted after 2.0 s of 4 s")


def test_a_doubt_about_an_overload_stays_with_it_as_long_as_it_is_overloaded() -> None:
    failed = _run(function(success_rate=0.5, succeeded=10), overloaded_functions=("a",))
    doubted = replace(failed, reasons=(*failed.reasons, f"{IN_DOUBT}the machine was busy"))

    assert judge_again(doubted, _DEFAULT, 2.0) == doubted
    lenient = OverloadConfig(success_rate_function_min=None, success_rate_node_min=None)
    assert judge_again(doubted, lenient, 2.0).reasons == ()
