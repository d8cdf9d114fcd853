"""The candidate view: one shape for every space, the same alone and side by side."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from peva_env.campaign import OfflineSetup
from peva_env.campaign.offline import OfflineSettings
from peva_env.config import OverloadConfig
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.features import FEATURES, Counts, Features, Measured, Reach, highest_rps
from peva_env.make import make_sim_env, make_sim_vec
from peva_env.objectives import make_objective
from peva_env.planning import Candidates, NoOpPolicy
from peva_env.space import Config, ConfigSpace
from peva_env.vector import PevaVectorEnv
from peva_env.views import CONTEXT, ROW
from peva_env.wrappers import CandidateView
from tests.support.scripted import ScriptedHost
from tests.support.toy_world import SPACE, ToyWorld

K = 16
SPACES: dict[str, dict[str, Any]] = {
    "two functions": {},
    "one function, fewer configurations than candidates": {"rates_rps": {"a": range(10, 101, 10)}},
    "all sets of three functions": {"rates_rps": {name: [40, 80, 120] for name in "abc"}, "min_functions": 1},
    "across sets": {"rates_rps": {n: [40, 80] for n in "abc"}, "min_functions": 1, "dominance": "two_sided"},
    "too many configurations for arrays": {"rates_rps": {name: range(91, 201) for name in "abc"}},
}


def view(k: int = K, **arguments: Any) -> CandidateView:
    env = make_sim_env(view="candidates", k=k, **arguments)
    assert isinstance(env, CandidateView)
    return env


def legal(env: CandidateView, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(env.action_masks())))


@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_one_shape_and_gymnasium_finds_no_fault(name: str) -> None:
    env = gymnasium.make("peva_env:peva/FaasSim-v1", view="candidates", k=K, **SPACES[name])
    assert env.observation_space["candidates"].shape == (K, len(ROW))  # type: ignore[index]
    assert env.observation_space["context"].shape == (len(CONTEXT),)  # type: ignore[index]
    assert env.action_space == gymnasium.spaces.Discrete(K)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version")  # it is a wrapper
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("name", SPACES)
def test_an_episode_of_legal_actions_runs_and_its_observations_fit(name: str) -> None:
    env, rng = view(budget_runs=30, **SPACES[name]), np.random.default_rng(0)
    _, info = env.reset(seed=1)
    ended = False
    while not ended:
        action = legal(env, rng)
        config = env.config(action)
        observation, _, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
        assert info["config"] == config
        assert env.observation_space.contains(observation)
        assert (observation["candidates"].any(axis=1) == info["action_mask"]).all()


def test_the_spec_rebuilds_the_view() -> None:
    env = gymnasium.make("peva_env:peva/FaasSim-v1", view="candidates", k=K)
    assert env.spec is not None
    assert json.loads(env.spec.to_json())["kwargs"] == {"version": 1, "view": "candidates", "k": K}
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    wrapped = CandidateView(gymnasium.make("peva_env:peva/FaasSim-v1"), k=K)
    assert wrapped.spec is not None
    rewrapped = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(wrapped.spec.to_json()))
    first, _ = env.reset(seed=4)
    for other in (again, wrapped, rewrapped):
        found, _ = other.reset(seed=4)
        assert all((found[name] == first[name]).all() for name in first)


def toy(**settings: Any) -> OfflineSetup:
    given = OfflineSettings(**{"budget_runs": 4, "max_steps": 7, "dominance": "two_sided", **settings})
    return OfflineSetup(ToyWorld(), given, make_objective("frontier", {}, SPACE), {})


SIDE_BY_SIDE: dict[str, Callable[[int], tuple[list[CandidateView], PevaVectorEnv]]] = {
    "two functions": lambda k: (
        [make_sim_env(view="candidates", k=k, budget_runs=9) for _ in range(3)],
        make_sim_vec(3, autoreset_mode="Disabled", view="candidates", k=k, budget_runs=9),
    ),
    "all sets of three functions, p95, three runs a verdict": lambda k: (
        [make_sim_env(view="candidates", k=k, **SMALL) for _ in range(3)],
        make_sim_vec(3, autoreset_mode="Disabled", view="candidates", k=k, **SMALL),
    ),
    "two scenarios, one with unrecorded configurations": lambda k: (
        [CandidateView(PevaEnv(toy().campaigns(), toy().objective), k) for _ in range(3)],
        PevaVectorEnv(3, toy(), "Disabled", view="candidates", k=k),
    ),
}
SMALL: dict[str, Any] = {
    "rates_rps": {name: [40, 80, 120] for name in "abc"},
    "min_functions": 1,
    "iterations": 3,
    "overload": {"p95_ms_max": 300},
    "budget_seconds": 1500.0,
}


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
@pytest.mark.parametrize("k", [4, 30])
def test_side_by_side_is_what_single_environments_are(name: str, k: int) -> None:
    """All actions are tried: rows without a candidate, too."""
    singles, many = SIDE_BY_SIDE[name](k)
    rng = np.random.default_rng(0)
    observations, infos = many.reset(seed=7)
    expected = [single.reset(seed=7 + i) for i, single in enumerate(singles)]
    for _ in range(40):
        for i, (observation, info) in enumerate(expected):
            for part, own in observation.items():
                np.testing.assert_allclose(observations[part][i], own, rtol=1e-5, atol=1e-6, err_msg=part)
            assert infos["action_mask"][i].tolist() == info["action_mask"].tolist()
            assert infos["n_unknown"][i] == info["n_unknown"]
        actions = rng.integers(k, size=len(singles))
        for i, single in enumerate(singles):
            if single.action_masks()[actions[i]]:
                assert many.config(i, int(actions[i])) == single.config(int(actions[i]))
        observations, rewards, terminated, truncated, infos = many.step(actions)
        stepped = [single.step(action) for single, action in zip(singles, actions, strict=True)]
        expected = [(one[0], one[-1]) for one in stepped]
        assert rewards.tolist() == [one[1] for one in stepped]
        assert terminated.tolist() == [one[2] for one in stepped]
        assert truncated.tolist() == [one[3] for one in stepped]
        ended = terminated | truncated
        if ended.any():
            observations, infos = many.reset(options={"reset_mask": ended})
            for i in ended.nonzero()[0].tolist():
                expected[i] = singles[i].reset()


def test_a_row_without_a_candidate_runs_nothing() -> None:
    env = view(rates_rps={"a": [50, 100]})
    _, info = env.reset(seed=0)
    assert info["action_mask"].tolist() == [1, 1] + [0] * (K - 2)
    _, reward, terminated, _, info = env.step(5)
    assert (reward, terminated, info["n_runs"]) == (-0.001, False, 0)
    assert info["skip_reason"] == "row 5 has no candidate"
    with pytest.raises(IndexError, match="row 5 has no candidate"):
        env.config(5)
    with pytest.raises(IndexError, match=r"action 16 is outside 0\.\.15"):
        env.step(16)


def test_a_third_are_what_resolves_most_and_the_others_change_with_the_seed() -> None:
    env, seen = view(k=9), []
    for seed in (1, 1, 2):
        env.reset(seed=seed)
        seen.append([tuple(env.config(action)) for action in range(9)])
        assert len(set(seen[-1])) == 9
        assert {sum(rate for _, rate in config) for config in seen[-1][:3]} <= {190, 200, 210}
    assert seen[0] == seen[1] != seen[2]


class Learner(NoOpPolicy):
    """Collects what an agent learns from."""

    def __init__(self, space: Any) -> None:
        self.measured = Measured(space)

    def update_online(self, event: Any) -> None:
        self.measured.learn([event])


def test_the_numbers_are_those_that_the_learnt_agent_computes_from_the_events() -> None:
    env, rng = view(k=12), np.random.default_rng(3)
    observation, info = env.reset(seed=5)
    base: PevaEnv = env.unwrapped  # type: ignore[assignment]
    learner = Learner(base.space)
    base.attach_policy(learner, agent="learner")
    reach = Reach(base.space, base.known.dominance, rng)
    for _ in range(12):
        observation, _, _, _, info = env.step(legal(env, rng))
    shown: list[Config] = [env.config(int(action)) for action in np.flatnonzero(info["action_mask"])]
    candidates = Candidates.of(base.space, shown)
    unknown = Candidates(base.space, np.flatnonzero(base.action_masks()))
    counts = Counts(*reach.counts(candidates, unknown), len(unknown))
    rates = reach.rates_rps(candidates) / highest_rps(base.space)
    expected = Features(learner.measured.measurements(), OverloadConfig()).of(rates, counts)
    of_row = [number for number, feature in enumerate(FEATURES) if not feature.of_campaign]
    np.testing.assert_allclose(observation["candidates"][: len(shown)], expected[:, of_row], rtol=1e-3, atol=2e-4)


def test_a_live_campaign_shows_the_means_of_all_runs_also_of_earlier_ones(tmp_path: Path) -> None:
    space = ConfigSpace({"a": [10, 20, 30], "b": [10, 20]}, min_functions=2, max_functions=3)
    host = ScriptedHost(space, {"a": 20, "b": 20}, tmp_path, iterations=2, dominance="within_sets")
    env = CandidateView(PevaEnv(host), k=4)
    env.reset(seed=0)
    observation, _, _, _, info = env.step(0)
    assert info["n_runs"] == 2
    context = dict(zip((feature.name for feature in CONTEXT), observation["context"].tolist(), strict=True))
    assert context["measured"] == pytest.approx(0.01)
    assert context["cost"] == pytest.approx(np.log(2))
    assert context["runs_left"] == 1
    resumed, _ = env.reset(options={"warm_start": True})
    assert resumed["context"][:5].tolist() == observation["context"][:5].tolist()
    env.close()


def test_a_space_that_int64_cannot_number_has_candidates(tmp_path: Path) -> None:
    names = "abcdefghijklmnop"
    space = ConfigSpace({name: range(10, 210, 10) for name in names}, min_functions=1, max_functions=17)
    host = ScriptedHost(space, dict.fromkeys(names, 100), tmp_path, dominance="within_sets")
    env = CandidateView(PevaEnv(host), k=6)
    env.reset(seed=0)
    for action in (0, 5, 3):
        config = env.config(action)
        observation, _, _, _, info = env.step(action)
        assert info["config"] == config
        assert env.observation_space.contains(observation)
        assert info["action_mask"].all()
    env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"view": "list"}, r"view = 'list': must be one of map, candidates"),
        ({"view": "candidates", "k": 0}, r"k = 0: the number of candidates must be a whole number from 1 to 4096"),
        ({"view": "candidates", "k": True}, r"k = True: the number of candidates must be"),
        ({"k": 5}, r"k = 5: the view 'map' has no candidates; give view='candidates' with it"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_sim_env(**arguments)
    with pytest.raises(ConfigError, match=message):
        make_sim_vec(2, **arguments)


def test_another_environment_has_no_candidates() -> None:
    with pytest.raises(ConfigError, match="CartPoleEnv has no candidates: CandidateView needs a PevaEnv"):
        CandidateView(gymnasium.make("CartPole-v1"))
