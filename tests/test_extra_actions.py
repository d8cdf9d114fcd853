"""The optional actions: *stop*, and measuring a known configuration again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_env.actions import ExtraActions
from peva_env.campaign.offline import OfflineCampaigns, OfflineSettings
from peva_env.config import DfaasConfig
from peva_env.contracts import EndStatus
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.memory import verify
from peva_env.objectives import OBJECTIVES
from peva_env.space import Config, ConfigSpace
from tests.support.scripted import ScriptedHost
from tests.support.toy_world import SPACE, ToyWorld

STOP = len(SPACE)
BOTH = ExtraActions(stop=True, measure_again=True)


def toy(actions: ExtraActions = BOTH, spread_rps: float = 4, **settings: Any) -> PevaEnv:
    world = ToyWorld(spread_rps)
    return PevaEnv(OfflineCampaigns(world, OfflineSettings(actions=actions, **settings), {}), actions=actions)


class Expects:
    """Predicts that every second configuration is overloaded."""

    def predict(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        return np.array([float(i % 2) for i in range(len(configs))])


def test_they_are_off_unless_asked_for() -> None:
    env: Any = gymnasium.make("peva_env:peva/FaasSim-v1")
    assert env.action_space == gymnasium.spaces.Discrete(441)
    assert env.reset(seed=0)[1]["action_mask"].shape == (441,)
    env = gymnasium.make("peva_env:peva/FaasSim-v1", stop=True)
    assert env.action_space == gymnasium.spaces.Discrete(442)
    mask = env.reset(seed=0)[1]["action_mask"]
    assert (mask.shape, mask[-1]) == ((442,), 1)
    assert env.unwrapped.action_masks().tolist() == mask.astype(bool).tolist()
    with pytest.raises(IndexError, match=r"442 is outside 0\.\.441"):
        env.step(442)


@pytest.mark.filterwarnings("ignore:.*For Box action spaces.*")
def test_gymnasiums_checker_has_nothing_to_say() -> None:
    env = gymnasium.make("peva_env:peva/FaasReplay-v1", stop=True, measure_again=True)
    check_env(env.unwrapped, skip_render_check=True)


def test_stop_ends_the_episode_and_takes_what_is_known_and_predictions_for_the_rest() -> None:
    env = toy(budget_runs=10)
    env.predictor = Expects()
    env.reset(seed=0, options={"scenario": "high"})
    *_, info = env.step(SPACE.index([("a", 40), ("b", 10)]))
    known = env.known.labels
    assert known is not None
    known = known.copy()
    _, reward, terminated, truncated, info = env.step(STOP)
    assert (terminated, truncated, env.status) == (True, False, EndStatus.STOPPED)
    assert (info["n_runs"], info["skip_reason"]) == (0, "the agent stops")
    assert reward == pytest.approx(-0.9), "what is left of the budget"
    recorded = np.array([("b", 15) not in config for config in SPACE])
    unknown = (known == 0) & recorded
    assert info["labels"][~unknown].tolist() == known[~unknown].tolist()
    assert info["labels"][unknown].tolist() == [(-1, 1)[i % 2] for i in range(unknown.sum())]


def test_without_predictions_the_rest_is_taken_to_be_ok() -> None:
    env = toy()
    env.reset(seed=0, options={"scenario": "low"})
    assert env.step(STOP)[-1]["labels"].tolist() == [-1] * len(SPACE)


@pytest.mark.parametrize("reward", OBJECTIVES)
def test_stopping_is_worth_no_more_than_going_on(reward: str) -> None:
    kwargs = {"limit_s": 600.0} if reward == "seconds" else None
    env: Any = gymnasium.make(
        "peva_env:peva/FaasSim-v1", stop=True, budget_runs=16, reward=reward, reward_kwargs=kwargs
    )
    for seed in range(5):
        best = run_campaign(env, BisectionAgent(DfaasConfig(seed=0)), seed=seed).total_reward
        for n_runs in range(0, 16, 5):
            (observation, info), total = env.reset(seed=seed), 0.0
            agent = BisectionAgent(DfaasConfig(seed=0))  # a new one: its ties are drawn as those of the first
            agent.begin(env.unwrapped)
            for _ in range(n_runs):
                observation, paid, ended, *_, info = env.step(agent.act(observation, info))
                total += float(paid)
                if ended:
                    break
            else:
                total += float(env.step(441)[1])
            assert total <= best + 1e-9


def test_measured_again_the_majority_decides_and_each_run_is_paid_for() -> None:
    labels: list[str] = []
    env: Any = gymnasium.make(
        "peva_env:peva/FaasSim-v1", rates_rps={"a": range(0, 201, 10)}, measure_again=True, noise=0.2
    )
    source = env.unwrapped.host.world.source
    for seed in range(40):
        env.reset(seed=seed)
        action = int(np.flatnonzero(env.unwrapped._campaign.truth() == 1)[0])  # the lowest one that is overloaded
        config = env.unwrapped.space.config(action)
        episode = source(env.unwrapped._campaign.truth.seed, 0)
        rng, votes = np.random.default_rng(0), 0
        for iteration in range(3):
            event = episode.measure(config, iteration=iteration, rng=rng)
            votes += 1 if event.verdict == "OVERLOADED" else -1
            *_, info = env.step(action)
            assert (info["n_runs"], info["verdict"]) == (1, "OVERLOADED" if votes > 0 else "OK")
            assert info["action_mask"].all()
            labels.append(event.verdict)
            if info["n_unknown"] == 0:
                break
    assert len(set(labels)) == 2


def test_a_measurement_that_contradicts_a_known_one_makes_both_unknown_until_both_are_measured_twice() -> None:
    env = toy(ExtraActions(measure_again=True), spread_rps=14, dominance="two_sided")
    low, high = SPACE.index([("a", 20), ("b", 5)]), SPACE.index([("a", 20), ("b", 10)])
    for seed in range(200):
        _, info = env.reset(seed=seed, options={"scenario": "low"})
        for index in (high, low):
            *_, info = env.step(index)
        if "contradictions" in info:
            break
    assert env.known.labels is not None
    assert env.known.labels[[low, high]].tolist() == [0, 0]
    for index in (high, low):
        *_, info = env.step(index)
    assert all(dispute["state"] != "open" for dispute in info["contradictions"])
    assert 0 not in env.known.labels[[low, high]]


@pytest.mark.parametrize("option", ["stop", "measure_again"])
def test_a_space_too_large_for_them_is_refused_in_words(option: str) -> None:
    rates = {"a": list(range(1100)), "b": list(range(1000))}
    with pytest.raises(ConfigError, match=f"{option} = True: 1,100,000 configurations are too many for it"):
        gymnasium.make("peva_env:peva/FaasSim-v1", rates_rps=rates, **{option: True})


def test_a_live_campaign_measures_again_and_its_memory_stays_sound(tmp_path: Path) -> None:
    space = ConfigSpace({"a": [10, 20, 30]})
    host = ScriptedHost(space, {"a": 20}, tmp_path, iterations=1)
    env = PevaEnv(host, actions=BOTH)
    env.reset(seed=0)
    env.step(1)
    host.source.capacity_rps = {"a": 10}
    verdicts = [env.step(1)[-1]["verdict"] for _ in range(3)]
    assert verdicts == ["OK", "OVERLOADED", "OVERLOADED"], "a tie is OK"
    assert len(host.source.runs) == 4
    *_, info = env.step(2)
    assert (info["n_runs"], info["verdict"]) == (1, "OVERLOADED"), "what is only inferred is measured, too"
    _, _, terminated, _, info = env.step(3)
    assert (terminated, env.status) == (True, EndStatus.STOPPED)
    wrong = {found.column for found in verify(host.memory.store.database.connection)}
    assert wrong <= {"context_hash"}, "which the host of this test made up"
    env.close()
