"""The environment: actions, masks, observations, rewards and how an episode ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from peva_env.contracts import EndStatus, ExecutionEvent, Verdict
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError, PolicyError
from peva_env.planning import NoOpPolicy
from peva_env.space import ConfigSpace
from tests.support.scripted import ScriptedHost
from tests.support.spaces import sparse

SPACE = ConfigSpace({"a": [10, 20, 30], "b": [10, 20]}, max_functions=3)
CAPACITY = {"a": 10, "b": 20}

type MakeEnv = Callable[..., PevaEnv]


@pytest.fixture
def make_env(tmp_path: Path) -> Iterator[MakeEnv]:
    made: list[PevaEnv] = []

    def make(space: ConfigSpace = SPACE, **options: Any) -> PevaEnv:
        folder = tmp_path / str(len(made))
        made.append(PevaEnv(ScriptedHost(space, CAPACITY, folder, **options)))
        return made[-1]

    yield make
    for env in made:
        env.close()


def host_of(env: PevaEnv) -> ScriptedHost:
    assert isinstance(env.host, ScriptedHost)
    return env.host


def test_an_action_measures_its_configuration(make_env: MakeEnv) -> None:
    env = make_env(iterations=3)
    _, before = env.reset(seed=1)
    index = SPACE.index([("a", 10), ("b", 20)])
    observation, _, terminated, truncated, info = env.step(index)
    assert host_of(env).source.runs == [[("a", 10), ("b", 20)]] * 3
    assert (info["verdict"], info["n_runs"], info["cost_s"]) == ("OK", 3, 6.0)
    assert (terminated, truncated) == (False, False)
    assert before["action_mask"].tolist() == [1] * SPACE.n_configs
    assert np.flatnonzero(info["action_mask"] == 0).tolist() == [index]
    assert observation["map"].tolist() == [-1 if i == index else 0 for i in range(SPACE.n_configs)]
    assert observation["last_config"].tolist() == pytest.approx([1 / 3, 1.0])
    assert observation["last_measurement"].tolist() == pytest.approx([0.1, 0.2, 0.05, 1.0, 1.0, 0.05, 0.05])
    assert observation["last_mask"].tolist() == [1] * 7


def test_what_dominates_an_overloaded_configuration_is_known_at_once(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset()
    _, reward, *_, info = env.step(SPACE.index([("a", 20), ("b", 10)]))
    assert info["n_resolved"] == 4
    assert reward == pytest.approx(3 / SPACE.n_configs), "without a budget, a run is charged one configuration"
    assert not env.action_masks()[SPACE.index([("a", 30), ("b", 20)])]


def test_asking_for_what_is_known_runs_nothing_and_is_charged_like_a_run(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset()
    env.step(SPACE.index([("a", 20)]))
    for config, reason in (([("a", 20)], "already measured"), ([("a", 30)], "dominates a 20 rps, which is overloaded")):
        runs = len(host_of(env).source.runs)
        _, reward, terminated, truncated, info = env.step(env.action(config))
        assert (reward, terminated, truncated) == (-1 / SPACE.n_configs, False, False)
        assert info["skip_reason"] == reason
        assert info["verdict"] == "OVERLOADED"
        assert len(host_of(env).source.runs) == runs


def test_it_terminates_exactly_when_nothing_is_unknown(make_env: MakeEnv) -> None:
    env = make_env()
    _, info = env.reset()
    ends: list[bool] = []
    while not ends or not ends[-1]:
        _, _, terminated, truncated, info = env.step(int(np.flatnonzero(info["action_mask"])[0]))
        assert not truncated
        assert terminated == (info["n_unknown"] == 0)
        ends.append(terminated)
    ((status, detail),) = host_of(env).ended
    assert (status, env.ending) == (EndStatus.COMPLETE, f"complete: {detail}")
    assert detail == "certificate proved: 7 measured configurations prove all 11 verdicts"
    assert env.known.n_unknown == 0
    with pytest.raises(ResetNeeded, match="has ended"):
        env.step(0)


@pytest.mark.parametrize(("budget", "runs"), [((2, None), 2), ((None, 3.0), 2), ((4, 3.0), 2)])
def test_it_truncates_when_the_budget_is_spent(
    make_env: MakeEnv, budget: tuple[int | None, float | None], runs: int
) -> None:
    env = make_env(budget=budget)
    env.reset()
    rewards: list[float] = []
    truncated = False
    while not truncated:
        observation, reward, _, truncated, info = env.step(len(rewards))
        rewards.append(reward)
    assert len(host_of(env).source.runs) == runs
    assert 0.0 in observation["budget"]
    ((status, detail),) = host_of(env).ended
    assert status is EndStatus.BUDGET
    assert detail is not None
    assert detail.startswith("budget of ")
    assert sum(rewards) == pytest.approx((SPACE.n_configs - info["n_unknown"]) / SPACE.n_configs - 1)


def test_nothing_measured_in_one_episode_is_visible_in_the_next_unless_asked_for(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset()
    env.step(0)
    observation, info = env.reset()
    assert info["action_mask"].all()
    assert not observation["map"].any()
    observation, info = env.reset(options={"warm_start": True})
    assert observation["map"][0] == -1
    assert [event.config_pairs for event in env.history] == [[("a", 10)]]


def test_what_contradicts_each_other_is_legal_again_until_it_is_settled(make_env: MakeEnv) -> None:
    env = make_env()
    host = host_of(env)
    low, high = (SPACE.index([("a", rate)]) for rate in (20, 30))
    env.reset()
    host.source.capacity_rps = {"a": 30, "b": 20}
    env.step(high)
    host.source.capacity_rps = CAPACITY
    assert "contradictions" not in env.step(low)[-1], "one-sided inference knows none"
    host.dominance = "two_sided"
    _, info = env.reset(options={"warm_start": True})
    (dispute,) = info["contradictions"]
    assert dispute == {"overloaded": [("a", 20)], "ok": [("a", 30)], "state": "open"}
    assert info["action_mask"][[low, high]].tolist() == [1, 1]
    for _ in range(2):  # a run of either kind is a tie, and a tie is OK
        *_, info = env.step(low)
    assert info["contradictions"][0]["state"] == "open"
    *_, info = env.step(high)
    assert info["contradictions"][0]["state"] == "quarantine"
    assert info["action_mask"][[low, high]].tolist() == [0, 0]


def test_a_reset_in_the_middle_ends_the_campaign_as_interrupted(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset()
    env.reset()
    env.close()
    env.close()
    assert [status for status, _ in host_of(env).ended] == [EndStatus.INTERRUPTED] * 2
    assert host_of(env).source.closed


def test_observations_are_fresh_and_inside_their_space(make_env: MakeEnv) -> None:
    env = make_env()
    first, _ = env.reset()
    second, *_ = env.step(0)
    assert first in env.observation_space
    assert second in env.observation_space
    second["map"][:] = 1
    assert env.known.labels is not None
    assert env.known.labels[1] == 0


def test_gymnasiums_checker_has_nothing_to_say(make_env: MakeEnv) -> None:
    check_env(make_env(), skip_render_check=True)


def test_a_space_beyond_the_limit_is_driven_by_rate_levels(make_env: MakeEnv) -> None:
    env = make_env(sparse(SPACE))
    _, info = env.reset(seed=3)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([4, 3])
    assert "map" not in env.observation_space.spaces  # type: ignore[attr-defined]
    assert env.action_space.contains(env.action_space.sample(info["action_mask"]))
    assert env.action_masks().shape == (7,)
    *_, info = env.step(env.action([("a", 20)]))
    assert (info["verdict"], info["n_unknown"]) == ("OVERLOADED", SPACE.n_configs - 1)
    *_, info = env.step(env.action([("a", 30)]))
    assert info["skip_reason"] == "dominates a 20 rps, which is overloaded"
    *_, info = env.step(np.array([0, 0]))
    assert info["skip_reason"].startswith("not in the plan")


def test_an_exception_ends_the_campaign_as_failed_and_is_raised(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset()
    with pytest.raises(RuntimeError, match="boom"), env.recording():
        raise RuntimeError("boom")
    assert host_of(env).ended == [(EndStatus.FAILED, "boom")]


def test_a_step_before_reset_is_an_error(make_env: MakeEnv) -> None:
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        make_env().step(0)


def test_the_live_environment_is_made_by_name_without_starting_anything(tmp_path: Path) -> None:
    env = gymnasium.make("peva_env:peva/FaasLive-v1", config={"output_dir": str(tmp_path / "out")}, budget_runs=3)
    assert env.spec is not None
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.action_space == env.action_space == gymnasium.spaces.Discrete(21)
    assert not (tmp_path / "out").exists()
    env.close()
    again.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"budget_runs": 0}, "budget_runs = 0: must be more than 0"),
        ({"budget_seconds": -1.0}, "budget_seconds = -1.0: must be more than 0"),
        ({"budget_seconds": float("nan")}, "budget_seconds = nan: must be more than 0"),
        ({"budget_runs": "5"}, "budget_runs = '5': must be more than 0"),
        ({"config": {}, "config_path": "x"}, "not both"),
        ({"config": {"platform": "openfaas"}}, "gateway_url is needed, for example http"),
        ({"config": {"duratoin": "3s"}}, "did you mean 'duration'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        gymnasium.make("peva_env:peva/FaasLive-v1", **arguments)


def test_the_verdict_of_each_configuration_is_kept_after_the_end(make_env: MakeEnv) -> None:
    env = make_env(budget=(1, None))
    env.reset()
    env.step(1)
    assert env.status is EndStatus.BUDGET
    assert env.known.measured == {(("a",), (20,)): Verdict.OVERLOADED}


def test_an_action_outside_the_space_is_an_error_and_the_campaign_goes_on(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset()
    with pytest.raises(IndexError, match="outside"):
        env.step(SPACE.n_configs)
    *_, info = env.step(0)
    assert info["verdict"] == "OK"


def test_node_and_memory_are_released_even_if_the_end_cannot_be_recorded(make_env: MakeEnv) -> None:
    class Raises(NoOpPolicy):
        def update_batch(self, events: list[ExecutionEvent]) -> None:
            raise RuntimeError("cannot learn")

    env = make_env(selection_mode="micro_batch")
    env.reset()
    env.attach_policy(Raises(), agent="raises")
    env.step(0)
    with pytest.raises(PolicyError):
        env.close()
    assert host_of(env).source.closed
