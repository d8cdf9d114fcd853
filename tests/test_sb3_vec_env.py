"""Campaigns side by side in SB3's form are the single ones, and what its algorithms ask of a ``VecEnv`` is there."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the `train` extra")
pytest.importorskip("sb3_contrib", reason="needs the `train` extra")

from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.env_checker import check_env

from peva_env.campaign import OfflineSetup
from peva_env.campaign.offline import OfflineSettings
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.make import make_sim_env, make_sim_vec
from peva_env.objectives import make_objective
from peva_env.observation import Observation
from peva_env.sb3_vec_env import PevaSB3VecEnv, SpacesSB3VecEnv
from peva_env.vector import PevaVectorEnv
from peva_env.views import CONTEXT
from peva_env.wrappers import CandidateView
from tests.support.toy_world import SPACE, ToyWorld

pytestmark = pytest.mark.train

N_ENVS = 4


def setup() -> OfflineSetup:
    settings = OfflineSettings(budget_runs=4, max_steps=7, dominance="two_sided")
    return OfflineSetup(ToyWorld(), settings, make_objective("frontier", {}, SPACE), {})


def side_by_side(**options: Any) -> PevaSB3VecEnv:
    return PevaSB3VecEnv(PevaVectorEnv(N_ENVS, setup(), "SameStep"), **options)


@pytest.mark.parametrize("ends_are_final", [False, True])
def test_it_is_what_single_environments_are(ends_are_final: bool) -> None:
    env, rng = side_by_side(ends_are_final=ends_are_final), np.random.default_rng(1)
    singles = [PevaEnv(setup().campaigns(), setup().objective) for _ in range(N_ENVS)]
    env.seed(5)
    observations = env.reset()
    returns, lengths, n_ended = np.zeros(N_ENVS), np.zeros(N_ENVS, int), 0
    for i, single in enumerate(singles):
        expected, _ = single.reset(seed=5 + i)
        assert all((observations[name][i] == expected[name]).all() for name in expected)
    for _ in range(50):
        actions = rng.integers(len(SPACE), size=N_ENVS)
        observations, rewards, ended, infos = env.step(actions)
        for i, single in enumerate(singles):
            expected, reward, terminated, truncated, _ = single.step(actions[i])
            returns[i], lengths[i] = returns[i] + reward, lengths[i] + 1
            assert rewards[i] == np.float32(reward)
            assert ended[i] == (terminated or truncated)
            if not ended[i]:
                assert infos[i] == {}
                continue
            info, n_ended = infos[i], n_ended + 1
            assert info["TimeLimit.truncated"] == (truncated and not ends_are_final)
            np.testing.assert_equal(info["terminal_observation"], expected)
            assert info["episode"]["r"] == pytest.approx(returns[i])
            assert info["episode"]["l"] == lengths[i]
            assert info["episode"]["t"] >= 0
            assert info["episode"]["resolved"] == pytest.approx(expected["progress"][0])
            returns[i] = lengths[i] = 0
            single.reset()
        for i, single in enumerate(singles):
            assert (get_action_masks(env)[i] == single.action_masks()).all()
    assert n_ended > 10


def test_candidates_are_those_of_single_environments() -> None:
    k, rng = 6, np.random.default_rng(0)
    env = PevaSB3VecEnv(PevaVectorEnv(N_ENVS, setup(), "SameStep", view="candidates", k=k))
    singles = [CandidateView(PevaEnv(setup().campaigns(), setup().objective), k) for _ in range(N_ENVS)]
    env.seed(5)
    observations, n_ended = env.reset(), 0
    expected = [single.reset(seed=5 + i)[0] for i, single in enumerate(singles)]
    for _ in range(30):
        masks = get_action_masks(env)
        for i, own in enumerate(expected):
            assert masks[i].tolist() == singles[i].action_masks().tolist()
            assert_close({name: rows[i] for name, rows in observations.items()}, own)
        actions = rng.integers(k, size=N_ENVS)
        observations, _, ended, infos = env.step(actions)
        for i, single in enumerate(singles):
            expected[i], _, terminated, truncated, _ = single.step(actions[i])
            assert ended[i] == (terminated or truncated)
            if ended[i]:
                n_ended += 1
                assert_close(infos[i]["terminal_observation"], expected[i])
                unknown_share = expected[i]["context"][[one.name for one in CONTEXT].index("unknown_share")]
                assert infos[i]["episode"]["resolved"] == pytest.approx(1 - unknown_share, abs=1e-6)
                expected[i], _ = single.reset()
    assert n_ended > 5


def of_two_spaces(**arguments: Any) -> SpacesSB3VecEnv:
    spaces: list[dict[str, Any]] = [
        {"rates_rps": {"a": range(40, 201, 40)}},
        {"rates_rps": {name: [40, 80, 120] for name in "abc"}},
    ]
    return SpacesSB3VecEnv(
        [
            PevaSB3VecEnv(make_sim_vec(n, autoreset_mode="SameStep", **arguments, **space))
            for n, space in zip((2, 3), spaces, strict=True)
        ]
    )


def test_several_spaces_are_one_environment_whose_parts_are_what_they_are_alone() -> None:
    env, apart = (of_two_spaces(view="candidates", k=5) for _ in range(2))
    env.seed(3)
    observation = env.reset()
    for part, first, last in zip(apart.parts, (0, 2), (2, 5), strict=True):
        part.seed(3 + first)
        own = part.reset()
        for name in own:
            assert (observation[name][first:last] == own[name]).all()
    rng, n_ended = np.random.default_rng(0), 0
    for _ in range(40):
        masks = get_action_masks(env)
        actions = (rng.random(masks.shape) * masks).argmax(axis=1)
        observation, rewards, ended, infos = env.step(actions)
        for part, first, last in zip(apart.parts, (0, 2), (2, 5), strict=True):
            own, own_rewards, own_ended, own_infos = part.step(actions[first:last])
            assert all((observation[name][first:last] == own[name]).all() for name in own)
            assert rewards[first:last].tolist() == own_rewards.tolist()
            assert ended[first:last].tolist() == own_ended.tolist()
            assert [set(info) for info in infos[first:last]] == [set(info) for info in own_infos]
        n_ended += int(ended.sum())
    assert n_ended > 5
    assert len(env.get_attr("num_envs")) == env.num_envs == 5
    assert len(env.env_method("action_masks", indices=[0, 4])) == 2
    assert env.env_is_wrapped(gymnasium.Wrapper) == [False] * 5
    env.seed([1, 1, 2, 2, 2])
    env.reset()
    env.close()


def test_maskable_ppo_trains_on_several_spaces_and_acts_in_another() -> None:
    model = MaskablePPO("MultiInputPolicy", of_two_spaces(view="candidates", k=5), n_steps=16, batch_size=20, seed=0)
    model.learn(160)
    other = make_sim_env(view="candidates", k=5)
    observation, info = other.reset(seed=0)
    for _ in range(5):
        action, _ = model.predict(observation, action_masks=other.action_masks())
        observation, _, _, _, info = other.step(action)
        assert info["n_runs"] == 1


def test_spaces_of_different_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"of different shapes; give all environments view='candidates'"):
        of_two_spaces()
    with pytest.raises(ConfigError, match="at least one space"):
        SpacesSB3VecEnv([])


def assert_close(found: Observation, expected: Observation) -> None:
    for name, own in expected.items():
        np.testing.assert_allclose(found[name], own, rtol=1e-5, atol=1e-6, err_msg=name)


def test_masks_are_offered_in_the_form_that_algorithms_ask_for() -> None:
    env = side_by_side()
    env.seed(0)
    env.reset()
    assert is_masking_supported(env)
    assert get_action_masks(env).shape == (N_ENVS, len(SPACE))
    assert len(env.env_method("action_masks", indices=[1, 2])) == 2
    env.step(np.arange(N_ENVS))
    assert not get_action_masks(env).all()


def test_what_environments_share_can_be_asked_and_nothing_be_set() -> None:
    env = side_by_side()
    assert env.get_attr("render_mode") == [None] * N_ENVS
    assert env.get_attr("num_envs", indices=0) == [N_ENVS]
    assert env.env_is_wrapped(gymnasium.Wrapper) == [False] * N_ENVS
    assert not env.has_attr("nope")
    with pytest.raises(AttributeError, match="share their attributes"):
        env.set_attr("space", None)
    with pytest.raises(AttributeError, match=r"action_masks\(\) alone, not render"):
        env.env_method("render")
    env.close()


def test_seeds_and_options_are_of_the_next_reset_alone() -> None:
    env = side_by_side()
    env.seed([7, 7, 8, 8])
    env.set_options({"scenario": "high"})
    env.reset()
    assert env.reset_infos == [{"scenario": 1}] * N_ENVS
    scenarios = {tuple(info["scenario"] for info in env.reset_infos) for _ in range(20) if env.reset()}
    assert len(scenarios) > 1
    env.set_options([{"scenario": "high"}, {}, {}, {}])
    with pytest.raises(ConfigError, match="must be the same for all"):
        env.reset()


def test_environments_that_begin_anew_in_another_way_are_refused() -> None:
    with pytest.raises(ConfigError, match="'NextStep': SB3 needs 'SameStep'"):
        PevaSB3VecEnv(PevaVectorEnv(2, setup()))


@pytest.mark.parametrize("name", ["FaasSim", "FaasReplay"])
@pytest.mark.parametrize("flat", [False, True])
def test_single_environments_pass_sb3s_own_check_without_a_warning(name: str, flat: bool) -> None:
    env: gymnasium.Env[Any, Any] = gymnasium.make(f"peva_env:peva/{name}-v1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.wrappers.FlattenObservation(env) if flat else env)
