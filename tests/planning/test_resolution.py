"""Rules that the runs of a plan are too short for."""

from typing import Any

import pytest

from peva_env.config import parse_config
from peva_env.planning import hidden_overload, too_short_for


def problem(rates: list[int], duration: str, **overload: Any) -> str | None:
    strategy = {"type": "custom", "rates": rates}
    return too_short_for(parse_config({"rate_strategy": strategy, "duration": duration, "overload": overload}))


def test_runs_of_the_default_rules_need_twenty_requests() -> None:
    assert problem([10, 50], "2s") is None
    assert problem([9, 50], "2s") == (
        "duration = 2s: fetch at 9 rps gets 18 requests, too few for a mean success rate of at least 0.95; runs of 3s "
        "are long enough"
    )


@pytest.mark.parametrize(
    ("overload", "said"),
    [
        ({"success_rate_function_min": 0.999}, "too few for a success rate of at least 0.999; runs of 20s are long"),
        ({"p99_ms_max": 200}, "fetch at 50 rps gets 50 requests, too few for p99_ms_max; runs of 2s are long enough"),
    ],
)
def test_a_strict_rule_needs_more_requests(overload: dict[str, Any], said: str) -> None:
    assert said in (problem([50], "1s", **overload) or "")


@pytest.mark.parametrize("rule", ["p95_ms_max", "p50_ms_max", "mean_ms_max"])
def test_a_rule_that_fifty_requests_decide_is_not_named(rule: str) -> None:
    assert problem([50], "1s", **{rule: 100}) is None


def test_the_rule_that_needs_most_is_named_and_the_others_are_counted() -> None:
    found = problem([20], "1s", p99_ms_max=9, success_rate_function_min=0.99, p95_ms_max=9)
    assert found is not None
    assert "runs of 5s are long enough for it and 1 other rule" in found


def test_a_rate_of_0_needs_no_requests() -> None:
    assert problem([0, 100], "1s") is None


def test_a_long_timeout_hides_a_queue_only_where_the_backlog_has_no_rule() -> None:
    slow = {"duration": "5s", "timeout": "5s"}

    assert hidden_overload(parse_config(slow)) is None
    assert hidden_overload(parse_config({"duration": "50s", "timeout": "5s", "overload": {"backlog": None}})) is None
    found = hidden_overload(parse_config({**slow, "overload": {"backlog": False}}))
    assert found == (
        "timeout = 5s: is long for a duration of 5s; without the rule overload.backlog, a queue hides up to 100% of "
        "excess load on fetch: switch the rule on, or give a duration of 50s or more"
    )
