"""Published methods as rivals of our agents: their formulas hold, and they choose what their papers say."""

import gymnasium
import numpy as np
import pytest

from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_agents.rivals import GlobalSURAgent
from peva_agents.rivals.isotonic import IsotonicPolicy, _isotonic
from peva_agents.rivals.latent import LatentLoad
from peva_agents.rivals.look_ahead import LookAheadPolicy, entropy, misclassified
from peva_agents.rivals.normal import below, both_below
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent, PolicyContext, Verdict
from peva_env.memory.tensors import TensorCache
from peva_env.planning import Candidates
from peva_env.space import ConfigSpace
from peva_env.testing.examples import example_event

LINE = ConfigSpace({"a": range(1, 100)})
SQUARE = ConfigSpace({"a": range(10, 101, 10), "b": range(10, 101, 10)}, min_functions=2, max_functions=3)


def ready(policy: LookAheadPolicy | IsotonicPolicy, space: ConfigSpace, *history: ExecutionEvent) -> None:
    policy.setup(PolicyContext(space, 0, {}, history, TensorCache(), dominance="within_sets"))


def test_both_variables_are_below_their_limits_as_often_as_in_a_sample() -> None:
    limits, rng = np.array([-1.2, 0.0, 0.7]), np.random.default_rng(0)
    for correlation in (-0.95, -0.5, 0.0, 0.3, 0.9):
        one, other = rng.standard_normal((2, 400_000))
        other = correlation * one + np.sqrt(1 - correlation**2) * other
        sampled = [[np.mean((one < first) & (other < second)) for second in limits] for first in limits]
        found = both_below(limits, limits, np.full((3, 3), correlation))
        np.testing.assert_allclose(found, sampled, atol=3e-3)
    at_zero = both_below(np.zeros(1), np.zeros(1), np.array([[0.8]]))
    assert at_zero[0, 0] == pytest.approx(0.25 + np.arcsin(0.8) / (2 * np.pi), abs=1e-5)


def test_the_model_learns_verdicts_and_is_less_sure_far_from_them() -> None:
    points = np.array([[0.1], [0.2], [0.3], [0.7], [0.8], [0.9]])
    model = LatentLoad(points, np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]))
    mean, covariance = model.at(np.array([[0.1], [0.5], [0.9]]))
    assert mean[0] < -0.5
    assert abs(mean[1]) < 0.2
    assert mean[2] > 0.5
    none, prior = LatentLoad(np.zeros((0, 1)), np.zeros(0)).at(np.array([[0.1], [0.5], [0.9]]))
    assert none[0] < none[1] < none[2], "the prior rises with the rate"
    assert (np.diag(covariance) < np.diag(prior)).all()


def test_looking_ahead_agrees_with_what_the_model_says_after_the_run() -> None:
    """The closed form keeps the approximation of the likelihoods so far, so it agrees nearly."""
    points, labels = np.array([[0.1], [0.3], [0.8], [0.95]]), np.array([-1.0, -1.0, 1.0, 1.0])
    run, target = np.array([[0.55]]), np.array([[0.5]])
    mean, covariance = LatentLoad(points, labels).at(np.concatenate([run, target]))
    reading, deviation = np.sqrt(1 + covariance[0, 0]), np.sqrt(covariance[1, 1])
    at_run, at_target = mean[:1] / reading, mean[1:] / deviation
    ahead = both_below(at_run, at_target, covariance[:1, 1:] / (reading * deviation))[0, 0] / below(at_run)[0]
    later, spread = LatentLoad(np.concatenate([points, run]), np.append(labels, 1.0)).at(target)
    assert ahead == pytest.approx(below(later / np.sqrt(np.diag(spread)))[0], abs=0.05)
    assert ahead > below(at_target)[0] + 0.05


@pytest.mark.parametrize("doubt", [misclassified, entropy])
def test_the_run_that_settles_most_lies_between_what_is_known(doubt: object) -> None:
    ok, overloaded = [("a", 20), ("b", 20)], [("a", 90), ("b", 90)]
    policy = LookAheadPolicy(misclassified if doubt is misclassified else entropy)
    ready(policy, SQUARE, example_event(ok, verdict=Verdict.OK), example_event(overloaded, verdict=Verdict.OVERLOADED))
    (first,) = policy.choose_batch(candidates=SQUARE, desired_size=1)
    assert 70 <= sum(rate for _, rate in first) <= 150
    likely = policy.predict([ok, overloaded])
    assert likely[0] < 0.4
    assert likely[1] > 0.6


def test_on_simulated_nodes_looking_ahead_needs_fewer_runs_than_bisection() -> None:
    env = gymnasium.make("peva_env:peva/FaasSim-v1", noise=0.0, budget_runs=None)
    runs = [
        sum(run_campaign(env, agent(DfaasConfig(seed=seed)), seed=seed).n_runs for seed in range(2))
        for agent in (GlobalSURAgent, BisectionAgent)
    ]
    assert runs[0] < runs[1]


def test_pooled_neighbours_rise_and_keep_their_mean() -> None:
    assert _isotonic(np.array([1.0, 3.0, 2.0, 4.0])).tolist() == [1.0, 2.5, 2.5, 4.0]
    assert _isotonic(np.array([3.0, 2.0, 1.0])).tolist() == [2.0, 2.0, 2.0]


def test_a_margin_that_falls_steadily_tells_the_limit_within_four_runs() -> None:
    policy, limit_rps, left = IsotonicPolicy(), 73.5, np.arange(LINE.n_configs)
    ready(policy, LINE)
    n_runs = 0
    while len(left):
        ((name, rate),) = policy.choose_batch(candidates=Candidates(LINE, left), desired_size=1)[0]
        margin = (limit_rps - rate) / limit_rps
        verdict = Verdict.OK if margin > 0 else Verdict.OVERLOADED
        policy.update_online(example_event([(name, rate)], verdict=verdict, margin=margin))
        index = LINE.index([(name, rate)])
        left = left[left > index] if verdict is Verdict.OK else left[left < index]
        n_runs += 1
    assert n_runs <= 4, "a bisection of 99 rates needs 7"
