"""The overload rules over arrays say what ``judge`` says, to the last bit of the margin."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peva_env.config import FunctionOverloadConfig, OverloadConfig
from peva_env.contracts import FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.arrays import ArrayRules, labels, majority_labels
from peva_env.rules.judge import judge, majority

SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.9, 0.95, 1.0])
PERCENT = st.floats(0, 100) | st.sampled_from([0.0, 80.0, 90.0, 100.0])
SHARE_LIMITS = st.floats(0.001, 1) | st.sampled_from([0.0, 0.9, 0.95, 1.0])
PERCENT_LIMITS = st.floats(0.001, 100) | st.sampled_from([0.0, 80.0, 90.0, 100.0])
LATENCY_MS = st.floats(0.1, 1e4) | st.sampled_from([100.0, 200.0])
LATENCY_LIMITS = st.none() | LATENCY_MS


OWN_RULES = st.dictionaries(
    st.sampled_from(["success_rate_min", "p95_ms_max", "mean_ms_max"]), st.none() | st.floats(0.001, 1), max_size=2
).map(FunctionOverloadConfig.model_validate)
RULES = st.builds(
    OverloadConfig,
    cpu_overload_pct_of_capacity=st.none() | PERCENT_LIMITS,
    ram_overload_pct=st.none() | PERCENT_LIMITS,
    success_rate_node_min=st.none() | SHARE_LIMITS,
    success_rate_function_min=st.none() | SHARE_LIMITS,
    p95_ms_max=LATENCY_LIMITS,
    mean_ms_max=LATENCY_LIMITS,
    functions=st.dictionaries(st.sampled_from("abc"), OWN_RULES, max_size=2),
)
FUNCTION_RUNS = st.tuples(SHARES, st.sampled_from([0, 100, 100]), st.sampled_from([0, 50, 100]), LATENCY_MS, LATENCY_MS)
"""Success rate, offered and succeeded requests, p95 and mean latency. They need not fit each other here."""
RUNS = st.tuples(
    st.lists(st.none() | FUNCTION_RUNS, min_size=3, max_size=3).filter(lambda own: own != [None] * 3), PERCENT, PERCENT
)
"""What each of three functions did, None where it is absent; CPU; RAM."""

type FunctionRun = tuple[float, int, int, float, float]
ABSENT: FunctionRun = (1.0, 0, 1, 1.0, 1.0)


def measured(own: list[FunctionRun | None]) -> list[FunctionMeasurement]:
    return [
        FunctionMeasurement(name, 100, offered, offered, 0, succeeded, {}, rate, p95_ms=p95_ms, mean_ms=mean_ms)
        for name, (rate, offered, succeeded, p95_ms, mean_ms) in (
            (name, run) for name, run in zip("abc", own, strict=True) if run is not None
        )
    ]


@settings(max_examples=200)
@example([([(rate, 100, 100, 1.0, 1.0) for rate in (1.0, 0.705453012616379, 0.2851894571118652)], 0.0, 0.0)],
         OverloadConfig(success_rate_node_min=1))  # fmt: skip
@given(st.lists(RUNS, min_size=1, max_size=5), RULES | st.just(OverloadConfig()))
def test_labels_and_margins_are_those_of_judge(
    runs: list[tuple[list[FunctionRun | None], float, float]], rules: OverloadConfig
) -> None:
    columns = np.array([[run or ABSENT for run in own] for own, _, _ in runs], float).transpose(2, 1, 0)
    success, offered, succeeded, p95_ms, mean_ms = columns
    present = np.array([[float(run is not None) for run in own] for own, _, _ in runs]).T
    arrays = ArrayRules(rules, ("a", "b", "c"))
    use = arrays.use_margins(np.array([cpu for _, cpu, _ in runs]), np.array([ram for _, _, ram in runs]))
    margins = np.minimum(use, arrays.success_margins(success, present, present.sum(axis=0)))
    latency = arrays.latency_margins({"p95_ms": p95_ms, "mean_ms": mean_ms}.__getitem__, offered, succeeded)
    margins = margins if latency is None else np.minimum(margins, latency)
    judged = [judge(measured(own), NodeMeasurement(cpu_pct=cpu, ram_pct=ram), rules) for own, cpu, ram in runs]
    assert margins.tolist() == [np.inf if one.margin is None else one.margin for one in judged]
    assert labels(margins).tolist() == [1 if one.verdict is Verdict.OVERLOADED else -1 for one in judged]


def test_what_is_given_is_left_as_it_was() -> None:
    success = np.array([[0.5], [0.7]])
    ArrayRules(OverloadConfig(), ("a", "b")).success_margins(success, np.ones((2, 1)), np.array([2.0]))
    assert success.tolist() == [[0.5], [0.7]]


@given(st.lists(st.lists(st.sampled_from([Verdict.OK, Verdict.OVERLOADED]), max_size=5), min_size=1, max_size=5))
def test_the_majority_of_arrays_is_that_of_verdicts(runs: list[list[Verdict]]) -> None:
    label = {Verdict.INVALID: 0, Verdict.OK: -1, Verdict.OVERLOADED: 1}
    votes = np.array([sum(label[verdict] for verdict in own) for own in runs])
    found = majority_labels(votes, np.array([len(own) for own in runs]))
    assert found.tolist() == [label[majority(own)] for own in runs]
