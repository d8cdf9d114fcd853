"""Environments side by side are, step for step, the single ones that were seeded alike; in every autoreset mode."""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

from peva_env.actions import ExtraActions
from peva_env.campaign import OfflineSetup, replay_setup, simulated_setup
from peva_env.campaign.offline import OfflineSettings
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.objectives import OBJECTIVES, make_objective
from peva_env.observation import Extras
from peva_env.vector import PevaVectorEnv
from tests.support.toy_world import SPACE, ToyWorld

N_ENVS = 5
NUMBERS = ("n_unknown", "n_resolved", "n_runs", "cost_s")


def toy_setup(reward: str = "frontier", version: int = 1, **settings: Any) -> OfflineSetup:
    plain: dict[str, Any] = {"budget_runs": 6, "max_steps": 9}
    arguments = {"limit_s": 200.0} if reward == "seconds" else {}
    objective = make_objective(reward, arguments, SPACE, version=version)
    return OfflineSetup(ToyWorld(), OfflineSettings(**plain | settings), objective, {})


def noisy_setup(reward: str, **settings: Any) -> OfflineSetup:
    """Return a setup in which measurements of comparable configurations can contradict each other."""
    return replace(toy_setup(reward, **settings), world=ToyWorld(spread_rps=14))


def single(made: OfflineSetup) -> PevaEnv:
    return PevaEnv(made.campaigns(), made.objective, made.settings.actions, made.settings.extras)


def side_by_side(make: Callable[[], OfflineSetup], mode: AutoresetMode) -> tuple[SyncVectorEnv, PevaVectorEnv]:
    reference = SyncVectorEnv([lambda: single(make())] * N_ENVS, autoreset_mode=mode)
    return reference, PevaVectorEnv(N_ENVS, make(), mode)


def assert_equal_arrays(expected: Any, found: Any, name: str = "") -> None:
    """As ``assert_array_equal``, which takes ten times as long, and is only asked where something differs or is NaN."""
    if not np.array_equal(expected, found):
        np.testing.assert_array_equal(expected, found, err_msg=name)


def assert_same(expected: Any, found: Any, rows: np.ndarray[Any, Any] | None = None) -> None:
    rows = np.ones(N_ENVS, bool) if rows is None else rows
    assert list(expected) == list(found)
    for name in expected:
        assert expected[name].dtype == found[name].dtype
        assert_equal_arrays(expected[name][rows], found[name][rows], name)


def assert_same_infos(expected: dict[str, Any], found: dict[str, Any], rows: Any = slice(None)) -> None:
    masks = np.stack([np.asarray(mask) for mask in expected["action_mask"]])
    assert_equal_arrays(masks[rows], found["action_mask"][rows])
    for name in NUMBERS:
        assert_equal_arrays(np.asarray(expected[name])[rows], found[name][rows], name)


def masked_choice(infos: dict[str, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Choose what is unknown nine times out of ten."""
    free = [np.flatnonzero(mask) for mask in infos["action_mask"]]
    chosen = [
        int(rng.choice(one)) if len(one) and rng.random() < 0.9 else int(rng.integers(len(SPACE))) for one in free
    ]
    return np.array(chosen)


def stepped(reference: Any, vector: Any, actions: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Step both, and hold one to the other; return what the reference gave, and the infos of the other."""
    expected = reference.step(actions)
    found = vector.step(actions)
    assert_same(expected[0], found[0])
    for one, other in zip(expected[1:4], found[1:4], strict=True):
        assert_equal_arrays(one, other)
    assert_same_infos(expected[4], found[4])
    verdicts = [text or "" for text in expected[4].get("verdict", [""] * N_ENVS)]
    assert found[4]["verdict"].tolist() == verdicts
    return expected, found[4]


REWARDS = [*((reward, 1) for reward in OBJECTIVES), ("goodput", 0)]


@pytest.mark.parametrize(
    ("mode", "reward", "version", "dominance"),
    [
        (mode, reward, version, ("one_sided", "two_sided")[(i + k) % 2])
        for i, mode in enumerate(AutoresetMode)
        for k, (reward, version) in enumerate(REWARDS)
    ],
)  # every two of them together
def test_it_is_what_single_environments_are(mode: AutoresetMode, reward: str, version: int, dominance: str) -> None:
    settings: dict[str, Any] = {"dominance": dominance, "budget_seconds": 170.0}
    if reward == "early":
        settings["extras"] = Extras(coordinates=True, n_runs=3, mean_latency=True)
    reference, vector = side_by_side(lambda: toy_setup(reward, version, **settings), mode)
    rng = np.random.default_rng(5)
    expected, expected_infos = reference.reset(seed=3)
    found, infos = vector.reset(seed=3)
    assert_same(expected, found)
    assert_same_infos(expected_infos, infos)
    n_ended = 0
    for _ in range(40):
        actions = masked_choice(infos, rng)
        (_, _, terminated, truncated, expected_infos), infos = stepped(reference, vector, actions)
        ended = terminated | truncated
        n_ended += ended.sum()
        if mode is AutoresetMode.SAME_STEP and ended.any():
            np.testing.assert_array_equal(infos["_scenario"], ended)
            names = np.array(["low", "high"])[infos["scenario"]]
            assert names[ended].tolist() == expected_infos["scenario"][ended].tolist()
            np.testing.assert_array_equal(infos["_final_obs"], ended)
            for i in ended.nonzero()[0]:
                one = {name: values[i] for name, values in infos["final_obs"].items() if name[0] != "_"}
                np.testing.assert_equal(one, expected_infos["final_obs"][i])
            assert_same_infos(expected_infos["final_info"], infos["final_info"], ended)
        if mode is AutoresetMode.DISABLED and ended.any():
            expected, expected_infos = reference.reset(options={"reset_mask": ended})
            found, fresh = vector.reset(options={"reset_mask": ended})
            assert_same(expected, found)
            infos["action_mask"][ended] = fresh["action_mask"][ended]
    assert n_ended > 10


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (simulated_setup, {}),
        (simulated_setup, {"rates_rps": {"a": [0, 40, 80], "b": [20, 60], "c": [0, 90]}, "min_functions": 1}),
        (replay_setup, {"dominance": "two_sided", "reward": "goodput"}),
        (replay_setup, {"reward": "right", "iterations": 3}),
        (replay_setup, {"iterations": 2, "mean_latency": True, "coordinates": True, "last_runs": 4}),
        (simulated_setup, {"overload": [{"p95_ms_max": 60}, {}], "mean_latency": True, "last_runs": 1}),
        (simulated_setup, {"reward": "right", "overload": [{"p95_ms_max": 60}, {"p95_ms_max": 200}]}),
        (simulated_setup, {"reward": "early", "budget_seconds": 240.0, "budget_runs": None}),
        (simulated_setup, {"overload": {"p95_ms_max": 120, "functions": {"a": {"success_rate_min": 0.99}}}}),
        (simulated_setup, {"overload": {"mean_ms_max": 80, "success_rate_node_min": None}}),
    ],
)
def test_of_real_worlds_too(make: Callable[..., OfflineSetup], arguments: dict[str, Any]) -> None:
    made = make(**{"budget_runs": 9} | arguments)
    reference, vector = side_by_side(lambda: made, AutoresetMode.NEXT_STEP)
    _, infos = vector.reset(seed=11)
    reference.reset(seed=11)
    rng = np.random.default_rng(1)
    for _ in range(25):
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in infos["action_mask"]])
        _, infos = stepped(reference, vector, actions)


@pytest.mark.parametrize(
    ("mode", "dominance", "reward"),
    [
        (mode, dominance, ("frontier", "right")[(i + k) % 2])
        for i, mode in enumerate(AutoresetMode)
        for k, dominance in enumerate(("one_sided", "within_sets", "two_sided"))
    ],
)  # every two of them together
def test_with_extra_actions_too(mode: AutoresetMode, dominance: str, reward: str) -> None:
    extra = ExtraActions(stop=True, measure_again=True)
    reference, vector = side_by_side(
        lambda: noisy_setup(reward, dominance=dominance, budget_runs=25, max_steps=25, actions=extra), mode
    )
    rng, n_disputed, n_stopped = np.random.default_rng(5), 0, 0
    _, infos = vector.reset(seed=3)
    reference.reset(seed=3)
    for _ in range(150):
        assert infos["action_mask"].shape == (N_ENVS, len(SPACE) + 1)
        actions = np.where(rng.random(N_ENVS) < 0.02, len(SPACE), rng.integers(len(SPACE), size=N_ENVS))
        (_, _, terminated, truncated, expected), infos = stepped(reference, vector, actions)
        n_disputed += int(np.count_nonzero(expected.get("_contradictions", [])))
        n_stopped += int(np.count_nonzero(terminated & (infos["n_unknown"] > 0)))
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            ended = terminated | truncated
            reference.reset(options={"reset_mask": ended})
            vector.reset(options={"reset_mask": ended})
    assert (n_disputed > 0) == (dominance != "one_sided")
    assert n_stopped > 0 or mode is not AutoresetMode.DISABLED


def test_an_environment_of_many_rates_needs_no_square_of_them() -> None:
    vector: Any = gymnasium.make_vec(
        "peva_env:peva/FaasSim-v1", num_envs=2, rates_rps={"a": list(range(60_000))}, dominance="two_sided"
    )
    vector.reset(seed=0)
    *_, infos = vector.step(np.array([59_999, 30_000]))
    assert infos["n_unknown"].tolist() == [59_999, 29_999]


@given(st.integers(0, 2**31), st.lists(st.integers(0, len(SPACE) - 1), min_size=1, max_size=8))
def test_an_episode_ends_as_the_laws_say(seed: int, actions: list[int]) -> None:
    made = toy_setup(budget_runs=5, max_steps=7)
    env, vector = single(made), PevaVectorEnv(1, made)
    _, info = env.reset(seed=seed)
    vector.reset(seed=seed)
    n_recorded, total, n_runs = info["n_unknown"], 0.0, 0
    for steps, action in enumerate(actions, start=1):
        _, reward, terminated, truncated, info = env.step(action)
        assert vector.step(np.array([action]))[1][0] == reward
        total, n_runs = total + reward, n_runs + info["n_runs"]
        assert terminated == (info["n_unknown"] == 0)
        assert truncated == (not terminated and (n_runs >= 5 or steps >= 7))
        charged = 1.0 if truncated else min(1, steps / 5)
        expected = (n_recorded - info["n_unknown"]) / n_recorded - charged
        assert total == pytest.approx(expected)
        if terminated or truncated:
            break


def test_observations_are_copies() -> None:
    vector = PevaVectorEnv(2, toy_setup())
    first, infos = vector.reset(seed=0)
    for array in (*first.values(), infos["action_mask"]):
        array[:] = 1
    second, *_ = vector.step(np.array([0, 1]))
    assert not (second["map"] == 1).all()
    assert second["last_config"][0].tolist() != [1.0, 1.0]
    assert vector.action_masks().any()


def test_a_copy_goes_on_as_the_original_does() -> None:
    vector = PevaVectorEnv(3, toy_setup())
    vector.reset(seed=4)
    vector.step(np.array([0, 1, 2]))
    again = copy.deepcopy(vector)
    rng = np.random.default_rng(0)
    for _ in range(30):
        actions = rng.integers(0, len(SPACE), 3)
        for expected, found in zip(vector.step(actions), again.step(actions), strict=True):
            np.testing.assert_equal(expected, found)


def test_observations_and_actions_are_in_their_spaces() -> None:
    vector = PevaVectorEnv(3, toy_setup())
    observation, _ = vector.reset(seed=1)
    assert observation in vector.observation_space
    observation, *_ = vector.step(vector.action_space.sample())
    assert observation in vector.observation_space


def test_a_scenario_can_be_fixed() -> None:
    vector = PevaVectorEnv(8, toy_setup())
    _, infos = vector.reset(seed=1)
    assert set(infos["scenario"]) == {0, 1}
    _, infos = vector.reset(seed=1, options={"scenario": "high"})
    assert infos["scenario"].tolist() == [1] * 8
    assert infos["n_unrecorded"].tolist() == [sum(("b", 15) in config for config in SPACE)] * 8
    assert vector.config(0, 4) == SPACE.config(4)
    assert (infos["n_unrecorded"] > 0).all()
    with pytest.raises(ConfigError, match="did you mean 'high'"):
        vector.reset(options={"scenario": "hihg"})


def test_a_part_is_reset_by_a_mask() -> None:
    vector = PevaVectorEnv(2, toy_setup(), AutoresetMode.DISABLED)
    with pytest.raises(ResetNeeded, match="first reset must be of all"):
        vector.reset(options={"reset_mask": np.array([True, False])})
    vector.reset(seed=1)
    before, *_ = vector.step(np.array([3, 3]))
    after, _ = vector.reset(options={"reset_mask": np.array([True, False])})
    assert not after["map"][0].any()
    np.testing.assert_array_equal(after["map"][1], before["map"][1])


def test_what_cannot_be_done_is_refused_in_words() -> None:
    vector = PevaVectorEnv(2, toy_setup(budget_runs=1), AutoresetMode.DISABLED)
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        vector.step(np.array([0, 0]))
    vector.reset(seed=0)
    vector.step(np.array([0, 1], np.uint64))
    vector.reset(seed=0)
    for actions, said in (([0], "2 whole numbers"), ([0, 99], "99 is outside 0..18"), ([0.5, 1.0], "float64")):
        with pytest.raises(IndexError, match=said):
            vector.step(np.array(actions))
    vector.step(np.array([0, 1]))
    with pytest.raises(ResetNeeded, match="2 episodes have ended"):
        vector.step(np.array([0, 1]))
    for seed, said in (([1, 2, 3], "a list of 2"), ([1, -1], "must be a whole number"), (np.int64(3), "a list of 2")):
        with pytest.raises(ConfigError, match=said):
            vector.reset(seed=seed)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must be one of NextStep, SameStep, Disabled"):
        PevaVectorEnv(2, toy_setup(), "next_step")
    with pytest.raises(ResetNeeded):
        PevaVectorEnv(2, toy_setup()).action_masks()
    with pytest.raises(ConfigError, match="reset_mask must be a bool array"):
        vector.reset(options={"reset_mask": np.array([1, 0])})
    with pytest.raises(ConfigError, match="num_envs = 0"):
        PevaVectorEnv(0, toy_setup())


def test_a_space_too_large_for_labels_is_refused() -> None:
    setup = simulated_setup(rates_rps={"a": list(range(1050)), "b": list(range(1000))})
    with pytest.raises(ConfigError, match="too many to step side by side"):
        PevaVectorEnv(2, setup)


@pytest.mark.parametrize("name", ["FaasSim", "FaasReplay"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_it_is_made_by_name(name: str, mode: str) -> None:
    vector: Any = gymnasium.make_vec(
        f"peva_env:peva/{name}-v1", num_envs=3, vectorization_mode="vector_entry_point", autoreset_mode=mode
    )
    assert isinstance(vector.unwrapped, PevaVectorEnv)
    observation, infos = vector.reset(seed=1)
    assert observation in vector.observation_space
    assert infos["action_mask"].shape == (3, vector.single_action_space.n)


@pytest.mark.parametrize(
    ("version", "mode", "is_warned"),
    [
        ("1.3.0", "SameStep", True),
        ("1.2.2", "SameStep", True),
        ("1.3.0", "NextStep", False),
        ("1.4.0", "SameStep", False),
        ("1.10.0rc1", "SameStep", False),
    ],
)
def test_an_old_gymnasium_whose_statistics_are_wrong_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, version: str, mode: str, is_warned: bool
) -> None:
    monkeypatch.setattr(gymnasium, "__version__", version)
    warned = pytest.warns(UserWarning, match="install gymnasium 1.4")
    with warned if is_warned else nullcontext():
        gymnasium.make_vec("peva/FaasSim-v1", 2, "vector_entry_point", autoreset_mode=mode).close()
