"""The agent recheck: the certificate of an earlier map and nothing else, unless something has changed."""

from typing import Any

import gymnasium
import pytest

from benchmarks.recheck import simulated
from peva_agents.loop import run_campaign
from peva_agents.recheck import RecheckAgent, RecheckPolicy
from peva_agents.recheck.order import in_order_of_risk
from peva_env.config import DfaasConfig
from peva_env.contracts import EndStatus, PolicyAlgorithm, Verdict
from peva_env.errors import PolicyError
from peva_env.inference import EarlierMap
from peva_env.memory.tensors import TensorCache
from peva_env.planning import agent_factory
from peva_env.space import ConfigSpace, config_key
from peva_env.testing import PolicyContract
from tests.support.builders import event

OK, OVERLOADED = Verdict.OK, Verdict.OVERLOADED


class TestRecheckPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        both = [("env", 20), ("figlet", 20)], [("env", 30), ("figlet", 30)]
        return RecheckPolicy(TensorCache.of([event(both[0]), event(both[1], verdict=OVERLOADED)]))


def replay(**settings: Any) -> gymnasium.Env[Any, Any]:
    settings = {"prior": "local-node-v1", "budget_runs": None, "iterations": 3} | settings
    return gymnasium.make("peva_env:peva/FaasReplay-v1", **settings)


def test_an_unchanged_map_is_proved_by_as_many_measurements_as_its_certificate_has() -> None:
    env = replay()
    result = run_campaign(env, agent_factory("recheck")(DfaasConfig()), seed=1)
    known: Any = env.unwrapped.known  # type: ignore[attr-defined]
    assert result.status is EndStatus.COMPLETE
    assert result.n_runs == len(known.certificate()) < known.n_configs / 3


def test_what_the_earlier_map_does_not_know_is_left_alone() -> None:
    earlier = TensorCache.of([event([("a", 20), ("b", 20)])])
    env = gymnasium.make("peva_env:peva/FaasSim-v1", budget_runs=None, noise=0.0)
    result = run_campaign(env, RecheckAgent(before=earlier), seed=1)
    assert result.n_runs <= 2 * len([0, 10, 20])
    assert result.status is EndStatus.STOPPED


def test_a_prior_is_measured_first_and_then_all_that_it_does_not_know() -> None:
    prior = TensorCache.of([event([("a", 20), ("b", 20)])])
    env = gymnasium.make("peva_env:peva/FaasSim-v1", budget_runs=None, noise=0.0)
    agent = RecheckAgent(before=prior, completes=True, name="mine")
    result = run_campaign(env, agent, seed=1)
    assert result.status is EndStatus.COMPLETE
    assert agent.name == "mine"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prior": None}, "policy recheck: the earlier map has no configuration of .* alone; its functions: none"),
        ({"dominance": "one_sided"}, "agent recheck: dominance one_sided lets an OK configuration prove only itself"),
    ],
)
def test_a_campaign_without_a_map_to_recheck_ends_in_one_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        run_campaign(replay(**settings), RecheckAgent(), seed=1)


def test_the_order_begins_with_the_narrowest_step_of_each_function_and_with_the_ok_side() -> None:
    plan = ConfigSpace({"a": [10, 20, 30, 40], "b": [10, 20, 30, 40]}, min_functions=2, max_functions=3)
    whole = {config_key(one): OVERLOADED if sum(rate for _, rate in one) > 50 else OK for one in plan}
    order = in_order_of_risk(EarlierMap(whole, plan, "within_sets"))
    assert [tuple(rate for _, rate in one) for one in order] == [
        (30, 20), (20, 30), (10, 40), (40, 10), (40, 20), (20, 40), (30, 30)
    ]  # fmt: skip


def test_a_node_that_was_measured_under_noise_is_held_and_a_loss_on_it_is_found() -> None:
    """A small version of ``benchmarks/recheck.py``, which prints the figures of 200 nodes."""
    quiet, _ = simulated(range(500, 503), noise=0.0, iterations=3)
    assert (quiet.n_runs, quiet.n_alarms) == (quiet.n_certificate, 0)
    noisy, lost = simulated(range(500, 505), noise=0.03, iterations=3, losses=[0.2])
    assert (noisy.n_alarms, noisy.runs_per_certificate < 1.3) == (0, True)
    assert lost[0.2].n_found == lost[0.2].n_losses == 5
