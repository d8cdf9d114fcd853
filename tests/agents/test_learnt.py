"""The learnt agent: its networks in files, its choices, and that a correction of zero corrects nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_agents.beliefs import N_INPUTS, SCORE_INPUT, Network, Networks
from peva_agents.learnt import LearntAgent, LearntPolicy
from peva_agents.loop import run_campaign
from peva_env.campaign import OfflineSetup, simulated_setup
from peva_env.config import DfaasConfig
from peva_env.contracts import EndStatus, PolicyAlgorithm
from peva_env.env import PevaEnv
from peva_env.errors import PolicyError
from peva_env.features import N_FEATURES
from peva_env.planning import agent_factory
from peva_env.testing import PolicyContract
from tests.support.networks import candidates, network, networks, nodes


def env_of(setup: OfflineSetup) -> PevaEnv:
    return PevaEnv(setup.campaigns(), setup.objective)


class TestLearntPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return LearntPolicy(networks(network(N_INPUTS, seed=1)), seed=3)


class TestShippedPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return LearntPolicy()


class TestTransferPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return LearntPolicy(transfers=True)


def test_the_networks_that_come_with_the_package_know_what_to_ask() -> None:
    """On four random nodes they need two thirds of bisection's runs at most; over hundreds it is about half."""
    env, n_runs = env_of(simulated_setup("random", noise=0.0)), {"learnt": 0, "bisection": 0}
    for seed in range(4):
        for name in n_runs:
            n_runs[name] += run_campaign(env, agent_factory(name)(DfaasConfig(seed=seed)), seed=seed).n_runs
    assert n_runs["learnt"] < 2 / 3 * n_runs["bisection"]


def test_to_look_at_a_prediction_does_not_change_what_is_chosen() -> None:
    env = env_of(nodes())
    env.reset(seed=5)
    chosen = []
    for looks in (False, True):
        policy = LearntPolicy(networks(), seed=3)
        policy.setup(env.policy_context())
        if looks:
            likely = policy.predict(list(env.space))
            assert ((likely >= 0) & (likely <= 1)).all()
        chosen.append(list(policy.choose_batch(candidates=list(env.space), desired_size=3)))
    assert chosen[0] == chosen[1]


def actions(found: Networks) -> list[Any]:
    """Play a campaign and return what was asked for."""
    env, asked = env_of(nodes()), []
    policy = LearntPolicy(found, seed=3)
    env.reset(seed=5)
    env.attach_policy(policy, agent="learnt")
    policy.setup(env.policy_context())
    while env.status is EndStatus.RUNNING:
        unknown = [env.space.config(int(index)) for index in np.flatnonzero(env.action_masks())]
        (chosen,) = policy.choose_batch(candidates=unknown, desired_size=1)
        env.step(env.action(chosen))
        asked.append(chosen)
    return asked


def test_a_correction_changes_what_is_chosen_and_one_of_zero_does_not() -> None:
    assert actions(networks(network(N_INPUTS, last=0.0))) == actions(networks())
    assert actions(networks(network(N_INPUTS, seed=1, last=9.0))) != actions(networks())


def test_networks_are_written_and_read(tmp_path: Path) -> None:
    written = networks(network(N_INPUTS, seed=1))
    written.save(tmp_path / "some.npz")
    read, inputs = Networks.load(tmp_path / "some.npz"), np.random.default_rng(2).normal(size=(5, N_FEATURES))
    assert (read.estimate(inputs) == written.estimate(inputs)).all()
    assert read.correction is not None
    assert written.correction is not None
    inputs = inputs[:, :N_INPUTS]
    assert (read.correction(inputs) == written.correction(inputs)).all()


def test_a_file_of_networks_is_an_agent(tmp_path: Path) -> None:
    networks().save(tmp_path / "some.npz")
    agent = agent_factory(str(tmp_path / "some.npz"))(DfaasConfig(seed=1))
    assert isinstance(agent, LearntAgent)
    assert run_campaign(env_of(nodes()), agent, seed=1).status is EndStatus.COMPLETE


@pytest.mark.parametrize(
    "broken",
    ["missing", "empty", "text", "cut", "damaged", "locked", "one array", "other arrays", "other inputs", "no layers"],
)
def test_a_file_that_holds_no_networks_is_refused_in_one_line(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "broken.npz"
    networks().save(path)
    whole = path.read_bytes()
    match broken:
        case "missing":
            path.unlink()
        case "text":
            path.write_text("hello")
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "damaged":
            path.write_bytes(whole[:200] + bytes(byte ^ 255 for byte in whole[200:300]) + whole[300:])
        case "locked":  # by a password
            path.write_bytes(whole.replace(b"PK\1\2\x2d\3\x2d\0\0", b"PK\1\2\x2d\3\x2d\0\1"))
        case "one array":
            with path.open("wb") as file:
                np.save(file, np.ones(3))
        case "other arrays":
            np.savez(path, something=np.ones(3))
        case "other inputs":
            Networks(network(3)).save(path)
        case "no layers":
            Networks(Network(np.zeros(1), np.ones(1), ())).save(path)
    with pytest.raises(PolicyError, match=r"broken\.npz") as caught:
        LearntAgent(path=path)
    assert "\n" not in str(caught.value)


def test_the_candidates_are_shown_the_best_score_first_and_padded() -> None:
    env = candidates(n_candidates=32)
    observation, _ = env.reset(seed=1)
    n = env.action_masks().sum()
    assert n == 25
    assert (np.diff(observation[:n, SCORE_INPUT]) <= 0).all()
    assert observation[0, SCORE_INPUT] == 0
    assert not observation[n:].any()


def test_a_campaign_pays_for_what_is_unknown_and_for_runs() -> None:
    env = candidates()
    env.reset(seed=1)
    rewards, ended = [], False
    while not ended:
        _, reward, ended, _, _ = env.step(0)
        rewards.append(reward)
    assert rewards == sorted(rewards)
    assert rewards[0] > -1.1
    assert rewards[-1] == pytest.approx(-0.1)
