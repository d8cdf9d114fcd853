"""The overload rules over arrays say what ``judge`` says, to the last bit of the margin."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peva_env.config import OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.arrays import labels, majority_labels, success_margins, use_margins
from peva_env.rules.judge import judge, majority

SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.9, 0.95, 1.0])
PERCENT = st.floats(0, 100) | st.sampled_from([0.0, 80.0, 90.0, 100.0])
SHARE_LIMITS = st.floats(0.001, 1) | st.sampled_from([0.0, 0.9, 0.95, 1.0])
PERCENT_LIMITS = st.floats(0.001, 100) | st.sampled_from([0.0, 80.0, 90.0, 100.0])
RULES = st.builds(
    OverloadConfig,
    cpu_overload_pct_of_capacity=st.none() | PERCENT_LIMITS,
    ram_overload_pct=st.none() | PERCENT_LIMITS,
    success_rate_node_min=SHARE_LIMITS,
    success_rate_function_min=SHARE_LIMITS,
)
RUNS = st.tuples(
    st.lists(st.none() | SHARES, min_size=3, max_size=3).filter(lambda rates: rates != [None] * 3), PERCENT, PERCENT
)
"""Success of each of three functions, None where it is absent; CPU; RAM."""


def measured(rates: list[float | None]) -> list[FunctionMeasurement]:
    return [
        FunctionMeasurement(name, 100, 100, 100, 0, 100, {}, rate)
        for name, rate in zip("abc", rates, strict=True)
        if rate is not None
    ]


@settings(max_examples=500)
@example([([1.0, 0.705453012616379, 0.2851894571118652], 0.0, 0.0)], OverloadConfig(success_rate_node_min=1))
@given(st.lists(RUNS, min_size=1, max_size=5), RULES | st.just(OverloadConfig()))
def test_labels_and_margins_are_those_of_judge(
    runs: list[tuple[list[float | None], float, float]], rules: OverloadConfig
) -> None:
    success = np.array([[1.0 if rate is None else rate for rate in rates] for rates, _, _ in runs]).T
    present = np.array([[float(rate is not None) for rate in rates] for rates, _, _ in runs]).T
    use = use_margins(np.array([cpu for _, cpu, _ in runs]), np.array([ram for _, _, ram in runs]), rules)
    margins = np.minimum(use, success_margins(success, present, present.sum(axis=0), rules))
    judged = [judge(measured(rates), NodeMeasurement(cpu_pct=cpu, ram_pct=ram), rules) for rates, cpu, ram in runs]
    assert margins.tolist() == [one.margin for one in judged]
    assert labels(margins).tolist() == [1 if one.verdict is Verdict.OVERLOADED else -1 for one in judged]


def test_what_is_given_is_left_as_it_was() -> None:
    success = np.array([[0.5], [0.7]])
    success_margins(success, np.ones((2, 1)), np.array([2.0]), OverloadConfig())
    assert success.tolist() == [[0.5], [0.7]]


@given(st.lists(st.lists(st.sampled_from([Verdict.OK, Verdict.OVERLOADED]), max_size=5), min_size=1, max_size=5))
def test_the_majority_of_arrays_is_that_of_verdicts(runs: list[list[Verdict]]) -> None:
    label = {Verdict.INVALID: 0, Verdict.OK: -1, Verdict.OVERLOADED: 1}
    votes = np.array([sum(label[verdict] for verdict in own) for own in runs])
    found = majority_labels(votes, np.array([len(own) for own in runs]))
    assert found.tolist() == [label[majority(own)] for own in runs]
