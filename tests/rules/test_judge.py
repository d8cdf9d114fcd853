"""The overload rules."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.config import LATENCIES, FunctionOverloadConfig, OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.judge import is_decided, judge, majority

RULES = OverloadConfig()
CALM = NodeMeasurement(cpu_pct=20.0, ram_pct=30.0)


def function(
    success_rate: float, *, name: str = "a", offered: int = 100, replicas: int | None = 1, failed: str = "status_5xx"
) -> FunctionMeasurement:
    succeeded = round(success_rate * offered)
    lost = offered - succeeded
    return FunctionMeasurement(
        name=name,
        rate_rps=offered,
        offered=offered,
        sent=offered,
        dropped=0,
        succeeded=succeeded,
        failed={failed: lost} if lost else {},
        success_rate=success_rate,
        replicas=replicas,
    )


def test_a_calm_node_is_ok_with_the_distance_to_the_nearest_threshold() -> None:
    judgement = judge([function(1.0)], CALM, RULES)
    assert judgement.verdict is Verdict.OK
    assert judgement.reasons == ()
    assert judgement.margin == pytest.approx((1 - 0.95) / 0.95)


@pytest.mark.parametrize(
    ("functions", "node", "reason"),
    [
        ([function(0.89)], CALM, "success of a 0.890 < 0.9 (11 of 100: 5xx)"),
        ([function(0.93), function(0.96, name="b")], CALM, "mean success 0.945 < 0.95 (11 of 200: 5xx)"),
        ([function(1.0, replicas=15)], CALM, "replicas of a 15 >= 15"),
        ([function(1.0)], NodeMeasurement(cpu_pct=80.1, ram_pct=30), "node CPU 80.1 % > 80 %"),
        ([function(1.0)], NodeMeasurement(cpu_pct=1, ram_pct=90.5), "node RAM 90.5 % > 90 %"),
    ],
)
def test_each_rule_fires_with_its_reason(
    functions: list[FunctionMeasurement], node: NodeMeasurement, reason: str
) -> None:
    judgement = judge(functions, node, RULES)
    assert judgement.verdict is Verdict.OVERLOADED
    assert reason in judgement.reasons
    assert judgement.margin is not None
    assert judgement.margin <= 0


def test_thresholds_themselves_are_ok() -> None:
    on_the_edge = NodeMeasurement(cpu_pct=80.0, ram_pct=90.0)
    assert judge([function(0.95, replicas=14)], on_the_edge, RULES).verdict is Verdict.OK


def test_every_threshold_has_its_signed_distance_and_the_smallest_is_the_runs() -> None:
    judgement = judge([function(0.99, replicas=3)], NodeMeasurement(cpu_pct=100.0, ram_pct=45.0), RULES)
    assert judgement.margins == {
        "success of a": pytest.approx(0.1),
        "replicas of a": pytest.approx(0.8),
        "mean success": pytest.approx(0.04 / 0.95),
        "node CPU": pytest.approx(-0.25),
        "node RAM": pytest.approx(0.5),
    }
    assert judgement.margin == judgement.margins["node CPU"]


def test_the_overloaded_function_is_named() -> None:
    judgement = judge([function(0.5), function(1.0, name="b")], CALM, RULES)
    assert judgement.overloaded_functions == ("a",)


def test_a_function_at_rate_0_counts_in_the_mean_as_one_at_a_low_rate_does() -> None:
    for offered in (0, 1):
        other = function(1.0, name="other", offered=offered)
        assert judge([function(0.93), other], CALM, RULES).verdict is Verdict.OK
        assert judge([function(0.89), other], CALM, RULES).verdict is Verdict.OVERLOADED


@pytest.mark.parametrize(
    "node",
    [
        NodeMeasurement(ram_pct=1.0),
        NodeMeasurement(cpu_pct=1.0),
        NodeMeasurement(cpu_pct=math.nan, ram_pct=1.0),
        NodeMeasurement(cpu_pct=1.0, ram_pct=math.inf),
    ],
)
def test_what_was_not_measured_is_not_taken_for_healthy(node: NodeMeasurement) -> None:
    judgement = judge([function(1.0)], node, RULES)
    assert judgement.verdict is Verdict.INVALID
    assert judgement.margin is None


def test_a_rule_that_is_off_needs_no_measurement_and_never_fires() -> None:
    off = OverloadConfig(cpu_overload_pct_of_capacity=None, ram_overload_pct=None)
    calm = judge([function(1.0)], CALM, RULES)
    assert judge([function(1.0)], NodeMeasurement(), off).margin == calm.margin
    assert judge([function(1.0)], NodeMeasurement(cpu_pct=100, ram_pct=100), off).verdict is Verdict.OK
    assert judge([function(1.0)], NodeMeasurement(ram_pct=1), OverloadConfig(ram_overload_pct=None)).reasons == (
        "CPU of the node not measured",
    )


@pytest.mark.parametrize("kind", ["generator_files", "generator_ports"])
def test_overload_with_requests_that_k6_could_not_send_is_invalid(kind: str) -> None:
    judgement = judge([function(0.5, failed=kind)], CALM, RULES)
    assert judgement.verdict is Verdict.INVALID
    assert judgement.reasons[0].startswith("k6 could not send 50 requests: ")
    assert judge([function(0.99, failed=kind)], CALM, RULES).verdict is Verdict.OK


# Latency and single functions


def answered(name: str = "a", **latencies_ms: Any) -> FunctionMeasurement:
    return replace(function(1.0, name=name), **latencies_ms)


@pytest.mark.parametrize("latency", LATENCIES)
def test_each_latency_has_a_rule(latency: str) -> None:
    rules = OverloadConfig.model_validate({f"{latency}_max": 200})
    slow, fast = (judge([answered("a", **{latency: value_ms})], CALM, rules) for value_ms in (250.0, 200.0))
    assert (slow.verdict, slow.overloaded_functions) == (Verdict.OVERLOADED, ("a",))
    assert slow.reasons == (f"{latency.removesuffix('_ms')} latency of a 250.0 ms > 200 ms",)
    assert slow.margin == pytest.approx(-0.25)
    assert (fast.verdict, fast.margin) == (Verdict.OK, 0.0)


def test_a_latency_that_was_not_measured_makes_the_run_invalid() -> None:
    judgement = judge([answered(p95_ms=None)], CALM, OverloadConfig(p95_ms_max=200))
    assert (judgement.verdict, judgement.reasons) == (Verdict.INVALID, ("p95 latency of a not measured",))


def test_a_function_without_a_successful_request_breaks_every_latency_rule() -> None:
    rules = OverloadConfig(p95_ms_max=200, success_rate_function_min=None, success_rate_node_min=None)
    judgement = judge([function(0.0)], CALM, rules)
    assert judgement.reasons == ("p95 latency of a: no request succeeded",)
    assert judgement.margin == -1.0


def test_a_function_without_load_has_no_latency_to_judge() -> None:
    idle = FunctionMeasurement("a", 0, offered=0, sent=0, dropped=0, succeeded=0, failed={}, success_rate=1.0)
    assert judge([idle], CALM, OverloadConfig(p95_ms_max=1)).verdict is Verdict.OK


def test_a_growing_queue_overloads_a_function_by_its_excess() -> None:
    queued = FunctionMeasurement("a", 60, 300, 300, 0, 300, {}, 1.0, backlog=60)

    judged = judge([queued], NodeMeasurement(cpu_pct=10.0, ram_pct=10.0), OverloadConfig())

    assert judged.verdict is Verdict.OVERLOADED
    assert judged.reasons == ("backlog of a: it served 48.0 of 60 rps, the rest queued up",)
    assert judged.margin == pytest.approx(-0.2)
    assert judged.overloaded_functions == ("a",)
    assert not judged.is_certain


@pytest.mark.parametrize("off", [{"backlog": None}, {"backlog": False}, {"functions": {"a": {"backlog": False}}}])
def test_the_rule_on_the_backlog_can_be_switched_off(off: dict[str, Any]) -> None:
    queued = FunctionMeasurement("a", 60, 300, 300, 0, 300, {}, 1.0, backlog=60)
    rules = OverloadConfig.model_validate(off)

    assert judge([queued], NodeMeasurement(cpu_pct=10.0, ram_pct=10.0), rules).verdict is Verdict.OK
    assert OverloadConfig.model_validate(rules.as_context()).as_context() == rules.as_context()
    assert "backlog" not in OverloadConfig().as_context()


def test_a_function_has_rules_of_its_own() -> None:
    rules = OverloadConfig(
        p95_ms_max=200,
        functions={
            "b": FunctionOverloadConfig(p95_ms_max=50, success_rate_min=0.99),
            "c": FunctionOverloadConfig(p95_ms_max=None),
        },
    )
    measured = [answered("a", p95_ms=150.0), answered("b", p95_ms=150.0), answered("c", p95_ms=999.0)]
    judgement = judge(measured, CALM, rules)
    assert judgement.overloaded_functions == ("b",)
    assert judgement.reasons == ("p95 latency of b 150.0 ms > 50 ms",)


@pytest.mark.parametrize(
    "rule", ["success_rate_node_min", "success_rate_function_min", "replicas_overload_threshold", "ram_overload_pct"]
)
def test_every_rule_can_be_switched_off(rule: str) -> None:
    broken = [replace(function(0.5), replicas=99)], NodeMeasurement(cpu_pct=1, ram_pct=99)
    fired = judge(*broken, RULES).reasons
    fewer = judge(*broken, OverloadConfig.model_validate({rule: None})).reasons
    assert len(fewer) == len(fired) - 1


def test_without_any_rule_all_is_ok_and_there_is_no_margin() -> None:
    off = dict.fromkeys(set(OverloadConfig.model_fields) - {"functions"})
    judgement = judge([function(0.1)], NodeMeasurement(), OverloadConfig.model_validate(off))
    assert (judgement.verdict, judgement.margin) == (Verdict.OK, None)


def test_rules_that_are_off_by_default_do_not_change_a_context() -> None:
    old = ("cpu_overload_pct_of_capacity", "ram_overload_pct", "success_rate_node_min", "success_rate_function_min")
    assert set(OverloadConfig().as_context()) == {*old, "replicas_overload_threshold"}
    ruled = OverloadConfig(p95_ms_max=9, functions={"a": FunctionOverloadConfig(p99_ms_max=None)}).as_context()
    assert (ruled["p95_ms_max"], ruled["functions"]) == (9, {"a": {"p99_ms_max": None}})
    assert OverloadConfig.model_validate(ruled).as_context() == ruled


@pytest.mark.parametrize("kind", ["status_404", "connection_refused", "connection_dns"])
def test_a_function_that_was_not_there_is_not_overload(kind: str) -> None:
    judgement = judge([function(0.2, failed=kind)], CALM, RULES)
    assert judgement.verdict is Verdict.INVALID
    assert judgement.reasons == (f"a was not there for most of 100 requests: 80 {kind}",)


GONE = ["status_404", "connection_refused", "connection_dns", "connection_tls"]


@pytest.mark.parametrize("kind", GONE)
def test_a_restart_is_not_overload(kind: str) -> None:
    judgement = judge([function(0.58, failed=kind), function(1.0, name="b")], CALM, RULES)
    assert judgement.verdict is Verdict.INVALID
    failed = f"a (42 of 100: {kind.removeprefix('status_').replace('_', ' ')})"
    assert judgement.reasons == (f"a restart, a crash or a wrong address failed requests: {failed}",)


def test_connections_that_a_restart_cut_off_count_with_the_refused_ones() -> None:
    failed = {"connection_refused": 3, "connection_reset": 40, "connection_other": 7}
    assert judge([replace(function(0.5), failed=failed)], CALM, RULES).verdict is Verdict.INVALID
    del failed["connection_refused"]
    assert judge([replace(function(0.5), failed=failed)], CALM, RULES).verdict is Verdict.OVERLOADED


def test_a_few_requests_that_find_no_server_leave_a_run_ok() -> None:
    judgement = judge([function(0.995, offered=1000, failed="connection_refused")], CALM, RULES)
    assert (judgement.verdict, judgement.is_certain) == (Verdict.OK, True)


def test_a_run_that_is_overloaded_without_them_too_stays_overloaded_but_is_not_certain() -> None:
    torn = replace(function(0.4), failed={"status_5xx": 50, "status_404": 10})
    judgement = judge([torn], CALM, RULES)
    assert (judgement.verdict, judgement.is_certain) == (Verdict.OVERLOADED, False)
    assert judgement.reasons == (
        "success of a 0.500 < 0.9 (50 of 100: 5xx)",
        "mean success 0.500 < 0.95",
        "overloaded even without what this explains: a restart, a crash or a wrong address failed requests: "
        "a (10 of 100: 404)",
    )
    busy = judge([function(0.6, failed="status_404")], NodeMeasurement(cpu_pct=100, ram_pct=30), RULES)
    assert (busy.verdict, busy.is_certain, busy.overloaded_functions) == (Verdict.OVERLOADED, False, ())
    assert busy.reasons[:1] == ("node CPU 100.0 % > 80 %",)


@pytest.mark.parametrize(
    ("success", "held_up", "verdict"),
    [
        (0.80, 20, Verdict.INVALID),  # a burst of a fifth of the requests, all of which failed
        (0.50, 20, Verdict.INVALID),
        (0.10, 20, Verdict.OVERLOADED),  # more than the burst and all behind it
        (0.10, 2, Verdict.OVERLOADED),
        (0.97, 50, Verdict.OK),
    ],
)
def test_no_overload_rests_on_failures_that_a_stalled_generator_explains(
    success: float, held_up: int, verdict: Verdict
) -> None:
    judgement = judge([replace(function(success), held_up=held_up)], CALM, RULES)
    assert judgement.verdict is verdict
    if verdict is Verdict.INVALID:
        assert judgement.reasons[0].startswith("k6 stood still for 20 % of the run")


def test_a_stall_explains_latencies_backlog_and_replicas_but_not_cpu() -> None:
    rules = OverloadConfig(p95_ms_max=100)
    late = replace(function(1.0, replicas=15), held_up=10, backlog=20, p95_ms=400.0)
    assert judge([late], CALM, rules).verdict is Verdict.INVALID
    busy = judge([late], NodeMeasurement(cpu_pct=99, ram_pct=30), rules)
    assert (busy.verdict, busy.reasons) == (Verdict.OVERLOADED, ("node CPU 99.0 % > 80 %",))
    assert judge([replace(late, held_up=1, backlog=0)], CALM, rules).verdict is Verdict.OVERLOADED


@pytest.mark.parametrize(
    ("success", "failed", "crowded_out", "verdict"),
    [
        (0.80, "timeout", 20, Verdict.INVALID),
        (0.20, "timeout", 20, Verdict.INVALID),  # a function that falls behind fails the requests behind them, too
        (0.20, "timeout", 10, Verdict.OVERLOADED),
        (0.80, "status_5xx", 20, Verdict.INVALID),
        (0.50, "status_5xx", 20, Verdict.OVERLOADED),  # one that refuses requests does not fall behind
        (0.97, "timeout", 90, Verdict.OK),
    ],
)
def test_no_overload_rests_on_failures_that_other_programs_on_the_machine_explain(
    success: float, failed: str, crowded_out: int, verdict: Verdict
) -> None:
    judgement = judge([replace(function(success, failed=failed), crowded_out=crowded_out)], CALM, RULES)
    assert judgement.verdict is verdict
    if verdict is Verdict.INVALID:
        assert judgement.reasons[0].startswith("other programs had the core that a needed for 20 % of the run: ")


def test_other_programs_explain_latencies_and_backlog() -> None:
    rules = OverloadConfig(p95_ms_max=100)
    late, queued = replace(function(1.0), p95_ms=400.0), replace(function(1.0), p95_ms=50.0, backlog=4)
    for run, least in ((late, 3), (queued, 1)):
        judged = [judge([replace(run, crowded_out=n)], CALM, rules).verdict for n in (least - 1, least)]
        assert judged == [Verdict.OVERLOADED, Verdict.INVALID]


def test_a_latency_rule_does_not_fire_on_requests_that_found_no_server() -> None:
    rules = OverloadConfig(p95_ms_max=100)
    assert judge([replace(function(0.5, failed="status_404"), p95_ms=50.0)], CALM, rules).verdict is Verdict.INVALID


def test_a_reason_counts_failures_by_kind_the_most_frequent_first() -> None:
    failed = {"timeout": 3, "status_5xx": 20}
    torn = replace(function(0.7), sent=93, dropped=7, failed=failed)
    assert judge([torn], CALM, RULES).reasons[0] == "success of a 0.700 < 0.9 (20 of 100: 5xx, 7: dropped, 3: timeout)"


OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([OK, OVERLOADED, OVERLOADED], OVERLOADED),
        ([OK, OK, OVERLOADED], OK),
        ([OK, OVERLOADED], OK),
        ([OVERLOADED, INVALID, INVALID], OVERLOADED),
        ([INVALID], INVALID),
        ([], INVALID),
    ],
)
def test_more_than_half_of_the_valid_iterations_decide(verdicts: list[Verdict], said: Verdict) -> None:
    assert majority(verdicts) is said


@given(st.floats(0, 1), st.floats(0, 100), st.floats(0, 100), st.integers(1, 30))
def test_the_sign_of_the_margin_is_the_verdict(success: float, cpu_pct: float, ram_pct: float, replicas: int) -> None:
    functions = [function(success, offered=1000, replicas=replicas)]
    judgement = judge(functions, NodeMeasurement(cpu_pct=cpu_pct, ram_pct=ram_pct), RULES)
    assert judgement.margin is not None
    if judgement.margin:
        assert (judgement.margin < 0) == (judgement.verdict is Verdict.OVERLOADED)


# --- when one run is enough -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("functions", "node", "certain"),
    [
        ([function(1.0)], CALM, True),
        ([function(0.991), function(1.0, name="b")], CALM, True),
        ([function(0.985), function(1.0, name="b")], CALM, False),  # of a less than nine tenths of the way to 1
        ([function(0.991), function(0.991, name="b")], CALM, False),  # and so is their mean
        ([function(1.0)], NodeMeasurement(cpu_pct=71.9, ram_pct=30), True),
        ([function(1.0)], NodeMeasurement(cpu_pct=72.1, ram_pct=30), False),
        ([function(1.0)], NodeMeasurement(cpu_pct=20, ram_pct=81.1), False),
        ([function(1.0, replicas=13)], CALM, True),
        ([function(1.0, replicas=14)], CALM, False),
        ([function(0.75)], CALM, True),
        ([function(0.77)], CALM, False),
        ([function(0.6), function(1.0, name="b")], CALM, False),  # of one function: that happens by chance
        ([function(1.0)], NodeMeasurement(cpu_pct=97, ram_pct=30), True),
        ([function(1.0, replicas=20)], CALM, False),
        ([function(1.0)], NodeMeasurement(cpu_pct=None, ram_pct=30), False),
    ],
)
def test_a_run_is_certain_far_from_every_threshold_or_far_beyond_one_of_the_node(
    functions: list[FunctionMeasurement], node: NodeMeasurement, certain: bool
) -> None:
    assert judge(functions, node, RULES).is_certain is certain


@pytest.mark.parametrize(
    ("said", "iterations", "is_certain", "decided"),
    [
        ("", 3, False, False),
        ("o", 3, False, False),
        ("o", 3, True, True),
        ("oo", 3, False, True),
        ("xx", 3, False, True),
        ("xo", 3, True, False),
        ("xox", 3, False, True),
        ("o", 2, False, True),  # a tie is OK
        ("x", 2, False, False),
        ("o", 1, False, True),
    ],
)
def test_runs_are_left_out_where_they_can_change_nothing_or_one_was_certain(
    said: str, iterations: int, is_certain: bool, decided: bool
) -> None:
    verdicts = [Verdict.OVERLOADED if letter == "x" else Verdict.OK for letter in said]
    assert is_decided(verdicts, iterations, is_certain=is_certain) is decided


@given(st.lists(st.sampled_from([Verdict.OK, Verdict.OVERLOADED]), min_size=1, max_size=7))
def test_what_is_decided_without_certainty_is_the_majority_of_all(verdicts: list[Verdict]) -> None:
    n_run = next(n for n in range(1, 8) if is_decided(verdicts[:n], len(verdicts), is_certain=False))
    assert majority(verdicts[:n_run]) is majority(verdicts)
