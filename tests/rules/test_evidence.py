"""How sure a verdict is: margins against their scatter, and counts of requests."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import pytest

from peva_env.config import OverloadConfig, require_level
from peva_env.contracts import ExecutionEvent, NodeMeasurement, Verdict
from peva_env.errors import ConfigError
from peva_env.rules import Evidence, Scatter, evidence_of, judge, run_margins
from peva_env.rules.evidence import LEAST_SCATTER, LEAST_SCATTER_OF_SUCCESS, RuleMargin
from tests.support.builders import event, function

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED
RULES = OverloadConfig()


def run(success: float = 1.0, cpu_pct: float = 20.0, *, offered: int = 10_000) -> ExecutionEvent:
    """A run of one function, judged by the default rules."""
    measured = function("a", 10, offered=offered, success_rate=success)
    node = NodeMeasurement(cpu_pct=cpu_pct, ram_pct=30.0)
    made: ExecutionEvent = event(functions=(measured,), node=node)
    return judge([measured], node, RULES).given_to(made)


def evidence(runs: Sequence[ExecutionEvent], *others: Sequence[ExecutionEvent]) -> Evidence:
    """What runs say, where the runs of other configurations tell the scatter, too."""
    margins = [[run_margins(one, RULES, 30.0) for one in own] for own in (runs, *others)]
    return evidence_of([one.verdict for one in runs], margins[0], Scatter(margins))


def test_a_margin_of_one_run_counts_in_units_of_the_least_scatter() -> None:
    found = evidence([run(cpu_pct=76.0)])
    assert (found.verdict, found.n_runs, found.n_agreeing) == (OK, 1, 1)
    assert found.margin == pytest.approx(0.05)
    assert found.score == pytest.approx(0.05 / LEAST_SCATTER)
    assert found.confidence == pytest.approx(NormalDist().cdf(0.05 / LEAST_SCATTER))


def test_more_runs_that_agree_are_more_sure() -> None:
    once, thrice = evidence([run(cpu_pct=82.0)]), evidence([run(cpu_pct=82.0)] * 3)
    assert (once.verdict, thrice.verdict) == (OVERLOADED, OVERLOADED)
    assert thrice.score == pytest.approx(math.sqrt(3) * once.score)
    assert not once.is_sure(0.95)
    assert thrice.confidence > once.confidence > 0.5


def test_every_rule_must_hold_for_ok_and_one_is_enough_for_overloaded() -> None:
    assert evidence([run(cpu_pct=79.0)] * 3).confidence < 0.8  # though no request failed
    assert evidence([run(success=0.6)] * 3).is_sure(0.999)  # though the CPU is idle


def test_runs_that_disagree_are_hardly_sure() -> None:
    found = evidence([run(success=0.7), run(success=0.7), run(success=1.0)])
    assert (found.verdict, found.n_agreeing) == (OVERLOADED, 2)
    assert not found.is_sure(0.95)


def test_the_scatter_is_that_of_repeated_runs_with_a_margin_nearby() -> None:
    noisy = [[run(success=0.96 + change), run(success=0.96 - change)] for change in [0.05, 0.06] * 10]
    calm = [[run(success=1.0), run(success=1.0)] for _ in range(30)]
    assert not evidence([run(success=0.91)], *noisy, *calm).is_sure(0.8)
    assert evidence([run(success=0.91)], *calm).is_sure(0.9)
    assert evidence([run(success=1.0)], *noisy, *calm).is_sure(0.95)


def test_few_requests_are_no_evidence_however_well_they_went() -> None:
    many, few = evidence([run(offered=1000)]), evidence([run(offered=20)])
    assert many.score == pytest.approx(0.05 / 0.95 / LEAST_SCATTER_OF_SUCCESS)
    assert many.is_sure(0.95)
    assert few.score == pytest.approx((0.05 / 0.95) / math.sqrt(0.05 / 0.95 / 20))
    assert not few.is_sure(0.95)


def test_a_run_without_known_rules_counts_by_its_margin_and_one_without_a_margin_not_at_all() -> None:
    told = replace(run(), margin=0.09)
    assert run_margins(told, None, 30.0) == {"run": RuleMargin(0.09)}
    unknown = evidence_of([OK], [run_margins(replace(told, margin=None), None, 30.0)], Scatter([]))
    assert (unknown.margin, unknown.score, unknown.confidence) == (None, 0.0, 0.5)
    assert unknown.runs_needed(0.95) is None


def test_a_backlog_in_some_runs_is_none_in_the_others() -> None:
    growing = replace(run(), verdict=OVERLOADED, functions=(function("a", 10, offered=10_000, backlog=2_000),))
    assert evidence([growing, run(), run()]).score == pytest.approx(
        -0.2 / 3 * math.sqrt(3) / (0.2 / math.sqrt(3)), rel=1e-6
    )


def test_the_runs_that_make_a_verdict_sure_are_counted() -> None:
    found = evidence([run(cpu_pct=79.0)])
    needed = found.runs_needed(0.95)
    assert needed is not None
    assert evidence([run(cpu_pct=79.0)] * needed).is_sure(0.95)
    assert not evidence([run(cpu_pct=79.0)] * (needed - 1)).is_sure(0.95)


@pytest.mark.parametrize("level", [1.0, 0.5, 0.0, 2.0, math.nan])
def test_a_level_that_no_run_can_reach_is_refused_in_one_line(level: float) -> None:
    with pytest.raises(ConfigError, match=r"^--level .*: must be above 0.5 and below 1, such as 0.95; no number of"):
        require_level("--level", level)
