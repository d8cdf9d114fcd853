"""When a run may be ended early, and what is said of it then."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.early_abort import judge_aborted, most_failures
from peva_env.rules.judge import judge

RULES = OverloadConfig()
CALM = NodeMeasurement(cpu_pct=20.0, ram_pct=30.0)


def measured(name: str, rate_rps: int, sent: int, lost: int, *, dropped: int = 0) -> FunctionMeasurement:
    offered = sent + dropped
    succeeded = sent - lost
    return FunctionMeasurement(
        name, rate_rps, offered, sent, dropped, succeeded, {"status_5xx": lost}, succeeded / offered if offered else 1.0
    )


def test_one_function_alone_may_fail_as_often_as_the_strictest_rule_allows() -> None:
    assert most_failures([("a", 100)], 10, RULES) == [50]  # 5 % of 1,001: a single function is the mean
    assert most_failures([("a", 100), ("b", 50)], 10, RULES) == [
        100,
        50,
    ]  # 10 %: by its own rule, and by the mean of two
    assert most_failures([(name, 100) for name in "abc"], 10, RULES) == [100] * 3
    assert most_failures([("a", 100), ("b", 100)], 10, OverloadConfig(success_rate_function_min=0)) == [100, 100]


def test_what_is_said_of_it_is_what_holds_in_the_best_case() -> None:
    judgement = judge_aborted([measured("f", 100, 200, 101)], CALM, RULES, duration_s=10, ran_s=2.04)
    assert judgement.verdict is Verdict.OVERLOADED
    assert judgement.reasons == (
        "aborted after 2.0 s of 10 s: overloaded even if the rest had succeeded",
        "success of f 0.899 < 0.9 (101 of 200: 5xx)",
        "mean success 0.899 < 0.95",
    )
    assert judgement.margin == pytest.approx((1 - 101 / 1001 - 0.95) / 0.95)
    assert judgement.overloaded_functions == ("f",)
    assert judgement.is_certain, "half of what was sent failed, whatever the bound says"


def test_dropped_requests_are_failures_and_a_function_of_which_nothing_is_known_yet_is_not() -> None:
    functions = [measured("f", 100, 20, 0, dropped=150), measured("g", 100, 0, 0)]
    judgement = judge_aborted(functions, NodeMeasurement(), RULES, duration_s=10, ran_s=2)
    assert judgement.verdict is Verdict.OVERLOADED
    assert judgement.overloaded_functions == ("f",)


def test_a_wrong_address_is_no_overload_however_early_it_is_noticed() -> None:
    nobody = replace(measured("f", 100, 200, 200), failed={"status_404": 200})
    judgement = judge_aborted([nobody], CALM, RULES, duration_s=10, ran_s=2)
    assert judgement.verdict is Verdict.INVALID
    assert "was not there" in judgement.reasons[0]


def test_a_restart_ends_a_run_early_but_is_no_overload() -> None:
    restarted = replace(measured("f", 100, 200, 64), failed={"connection_refused": 64})
    for judgement in (
        judge([restarted], CALM, RULES),
        judge_aborted([restarted], CALM, RULES, duration_s=10, ran_s=2),
    ):
        assert judgement.verdict is Verdict.INVALID
        assert judgement.reasons[0].endswith("f (64 of 200: connection refused)")
    torn = replace(measured("f", 100, 400, 200), failed={"connection_refused": 20, "status_5xx": 180})
    judgement = judge_aborted([torn], CALM, RULES, duration_s=10, ran_s=4)
    assert (judgement.verdict, judgement.is_certain) == (Verdict.OVERLOADED, False)
    assert judgement.margin == pytest.approx((1 - 180 / 1001 - 0.95) / 0.95)


def test_a_run_that_ended_before_anything_was_decided_is_invalid() -> None:
    judgement = judge_aborted([measured("f", 100, 200, 3)], CALM, RULES, duration_s=10, ran_s=2)
    assert judgement.verdict is Verdict.INVALID
    assert judgement.reasons == ("aborted after 2.0 s of 10 s, before the failures made it overloaded",)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(0, 0.3)), min_size=1, max_size=4),
    st.integers(5, 60),
    st.floats(0.5, 1),
    st.floats(0.5, 1),
)
def test_beyond_the_bound_a_run_is_overloaded_whatever_becomes_of_the_rest(
    loads: list[tuple[int, float]], duration_s: int, function_min: float, node_min: float
) -> None:
    rules = OverloadConfig(success_rate_function_min=function_min, success_rate_node_min=node_min)
    most = most_failures([(f"f{i}", rate) for i, (rate, _) in enumerate(loads)], duration_s, rules)
    first = min(most[0] + 1, loads[0][0] * duration_s)
    whole = [
        measured(f"f{i}", rate, rate * duration_s, first if i == 0 else int(rate * duration_s * share))
        for i, (rate, share) in enumerate(loads)
    ]
    if first > most[0]:
        in_full = judge(whole, CALM, rules)
        cut_short = judge_aborted(whole, CALM, rules, duration_s=duration_s, ran_s=2)
        assert in_full.verdict is cut_short.verdict is Verdict.OVERLOADED
        assert in_full.margin is not None
        assert cut_short.margin is not None
        assert in_full.margin <= cut_short.margin + 1e-9
