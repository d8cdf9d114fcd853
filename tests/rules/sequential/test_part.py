"""What a part of a run decides, and what a run that was stopped says under any rules."""

from dataclasses import replace
from typing import Any

import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules import judge_again, judge_stored
from peva_env.rules.sequential.part import judge_part, judge_stopped, slow_ms
from tests.support.builders import event

RULES = OverloadConfig()
CALM = NodeMeasurement(cpu_pct=20.0, ram_pct=30.0)
FAST = {"mean_ms": 50.0, "p50_ms": 50.0, "p90_ms": 55.0, "p95_ms": 60.0, "p99_ms": 70.0}


def part(name: str = "f", rate_rps: int = 50, ran_s: float = 8.0, lost: int = 0, **values: Any) -> FunctionMeasurement:
    """Return a function after a part of a run."""
    n = round(rate_rps * ran_s)
    plain = FAST | {"failed": {"status_5xx": lost} if lost else {}} | values
    return FunctionMeasurement(name, rate_rps, n, n, 0, n - lost, success_rate=1 - lost / n, **plain)


def verdict(
    *functions: FunctionMeasurement, node: NodeMeasurement = CALM, rules: OverloadConfig = RULES, **values: Any
) -> Verdict | None:
    found = judge_part(functions, node, rules, duration_s=30.0, error_rate=0.01, **values)
    return found.verdict if found else None


def test_failures_decide_a_part_as_far_as_they_exclude_chance() -> None:
    assert verdict(part()) is Verdict.OK
    assert verdict(part(lost=80)) is Verdict.OVERLOADED
    assert verdict(part(lost=20)) is None, "exactly at the limit"
    assert verdict(part(lost=25)) is None, "above the limit, but perhaps by chance"
    assert verdict(part(rate_rps=5)) is None, "forty requests are too few for a success of 0.95"
    assert verdict(part(lost=80), design_effects={"f": 20.0}) is None, "they came in clusters"


def test_all_functions_must_be_ok_and_one_is_enough_for_overload() -> None:
    few = part("g", rate_rps=2)
    assert verdict(part(), few) is None
    assert verdict(part(lost=150), few) is Verdict.OVERLOADED
    assert verdict(part(), replace(few, rate_rps=0, offered=0, sent=0, succeeded=0)) is Verdict.OK


def test_cpu_and_ram_decide_where_they_are_clear_of_their_limits() -> None:
    assert verdict(part(), node=NodeMeasurement(cpu_pct=75.0, ram_pct=30.0)) is None
    assert verdict(part(), node=NodeMeasurement(cpu_pct=85.0, ram_pct=30.0)) is None
    assert verdict(part(), node=NodeMeasurement(cpu_pct=97.0, ram_pct=30.0)) is Verdict.OVERLOADED
    assert verdict(part(), node=NodeMeasurement(cpu_pct=20.0, ram_pct=85.0)) is None


def test_a_value_that_is_missing_decides_nothing_but_overload_needs_no_cpu() -> None:
    assert verdict(part(), node=NodeMeasurement()) is Verdict.INVALID
    assert verdict(part(lost=150), node=NodeMeasurement()) is Verdict.OVERLOADED


def test_a_percentile_is_ok_where_so_few_requests_are_slower_that_more_of_them_are_no_chance() -> None:
    rules = OverloadConfig(p95_ms_max=150.0)
    assert verdict(part(rate_rps=100), rules=rules) is Verdict.OK
    assert verdict(part(rate_rps=20), rules=rules) is None, "one of a hundred may be five of a hundred"
    assert verdict(part(rate_rps=100, p99_ms=120.0), rules=rules) is None, "if the latency grew by 50 ms"
    assert verdict(part(rate_rps=100), rules=OverloadConfig(p99_ms_max=1000.0)) is None, "no higher percentile is known"


def test_a_mean_latency_is_ok_where_it_may_double() -> None:
    assert verdict(part(), rules=OverloadConfig(mean_ms_max=110.0)) is Verdict.OK
    assert verdict(part(), rules=OverloadConfig(mean_ms_max=90.0)) is None


def test_latencies_overload_where_the_rest_of_the_run_cannot_lower_them() -> None:
    rules = OverloadConfig(p95_ms_max=40.0)
    assert verdict(part(ran_s=4.0), rules=rules) is Verdict.OVERLOADED, "half of 200 requests are more than 5 % of 1501"
    assert verdict(part(ran_s=2.0), rules=rules) is None
    assert verdict(part(ran_s=8.0), rules=OverloadConfig(mean_ms_max=40.0)) is None
    assert verdict(part(ran_s=8.0), rules=OverloadConfig(mean_ms_max=12.0)) is Verdict.OVERLOADED


def test_latencies_to_count_leave_room_for_growth() -> None:
    rules = OverloadConfig(p95_ms_max=300.0, p90_ms_max=120.0, p50_ms_max=40.0, mean_ms_max=500.0)
    assert slow_ms("f", rules) == (70, 200)
    assert slow_ms("f", RULES) == ()


def test_a_wrong_address_is_not_overload() -> None:
    assert verdict(part(lost=350, failed={"connection_refused": 350})) is Verdict.INVALID


def stopped(function: FunctionMeasurement, node: NodeMeasurement = CALM) -> ExecutionEvent:
    judged = judge_stopped([function], node, RULES, duration_s=30.0, ran_s=8.04)
    made: ExecutionEvent = event([(function.name, function.rate_rps)], 0, functions=(function,), node=node)
    return judged.given_to(replace(made, duration_s=8.04))


def test_a_stopped_run_says_so_and_has_the_values_of_its_part() -> None:
    calm, overloaded = stopped(part()), stopped(part(lost=80))
    assert (calm.verdict, calm.reasons) == (Verdict.OK, ("stopped after 8.0 s of 30 s: clearly OK",))
    assert calm.margin == pytest.approx(0.05 / 0.95)
    assert overloaded.reasons == (
        "stopped after 8.0 s of 30 s: clearly overloaded",
        "success of f 0.800 < 0.9 (80 of 400: 5xx)",
        "mean success 0.800 < 0.95",
    )
    for run in (calm, overloaded):
        assert judge_stored(run, RULES, 30.0).given_to(run) == run


def test_a_stopped_run_counts_under_other_rules_where_its_values_decide_them() -> None:
    run = stopped(part(), NodeMeasurement(cpu_pct=50.0, ram_pct=30.0))
    assert judge_again(run, OverloadConfig(cpu_overload_pct_of_capacity=60), 30.0).verdict is Verdict.OK
    assert judge_again(run, OverloadConfig(cpu_overload_pct_of_capacity=40), 30.0).verdict is Verdict.OVERLOADED
    close = judge_again(run, OverloadConfig(cpu_overload_pct_of_capacity=52), 30.0)
    assert close.verdict is Verdict.INVALID
    assert close.reasons == ("stopped after 8.0 s of 30 s, which is too short for these rules",)
    strict = OverloadConfig(success_rate_node_min=0.99, success_rate_function_min=0.99)
    assert judge_again(run, strict, 30.0).verdict is Verdict.INVALID, "no failure in 400 requests may be one in 100"


def test_a_stopped_run_without_a_value_that_a_rule_needs_is_invalid_for_it() -> None:
    without_cpu = OverloadConfig(cpu_overload_pct_of_capacity=None)
    judged = judge_stopped([part()], NodeMeasurement(ram_pct=30.0), without_cpu, duration_s=30.0, ran_s=8.0)
    run = judged.given_to(stopped(part(), NodeMeasurement(ram_pct=30.0)))
    again = judge_again(run, RULES, 30.0)
    assert (again.verdict, again.reasons) == (
        Verdict.INVALID,
        ("CPU of the node not measured", "stopped after 8.0 s of 30 s"),
    )
    assert judge_again(again, without_cpu, 30.0).verdict is Verdict.OK
