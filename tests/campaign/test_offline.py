"""Offline environments: made by name, the same for the same seed, nothing leaks, and what is wrong is said in words."""

import copy
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation
from hypothesis import given, settings
from hypothesis import strategies as st

from peva_agents.cartesian import CartesianAgent
from peva_agents.loop import run_campaign
from peva_agents.policy_agent import PolicyAgent
from peva_env.campaign.offline import OfflineCampaigns, OfflineSettings
from peva_env.config import DfaasConfig
from peva_env.contracts import EndStatus, ExecutionEvent, PolicyContext, Verdict
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.planning import CartesianScheduler, NoOpPolicy, UpdateSchedule
from tests.support.builders import RecordingPolicy
from tests.support.forkserver import PROCESSES
from tests.support.toy_world import SPACE, ToyWorld

IDS = ("peva/FaasSim-v1", "peva/FaasReplay-v1")

by_id = pytest.mark.parametrize("env_id", IDS)


def toy(**settings: Any) -> PevaEnv:
    return PevaEnv(OfflineCampaigns(ToyWorld(), OfflineSettings(**settings), {"toy": True}))


def walk(env: gymnasium.Env[Any, Any], n_steps: int, seed: int = 7) -> Iterator[tuple[Any, ...]]:
    """Yield what a seeded walk sees, over the ends of episodes."""
    observation, info = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    yield observation, info
    for _ in range(n_steps):
        step = env.step(int(rng.integers(env.action_space.n)))  # type: ignore[attr-defined]
        yield step
        if step[2] or step[3]:
            yield env.reset()


def assert_same(one: Any, other: Any) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_equal(left, right)


@by_id
def test_gymnasiums_checker_has_nothing_to_say(env_id: str) -> None:
    check_env(gymnasium.make(env_id).unwrapped, skip_render_check=True)


@by_id
def test_nor_of_the_flat_form(env_id: str) -> None:
    with warnings.catch_warnings():
        # That the checker was handed a wrapper is the one thing that it says, and it is so.
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
        check_env(FlattenObservation(gymnasium.make(env_id).unwrapped), skip_render_check=True)


@by_id
def test_it_is_rebuilt_from_json_and_by_pickle(env_id: str) -> None:
    env = gymnasium.make(f"peva_env:{env_id}", budget_runs=9, dominance="one_sided", reward="goodput")
    assert env.spec is not None
    from_json = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    from_pickle = pickle.loads(pickle.dumps(env))  # noqa: S301 - our own
    for again in (from_json, from_pickle):
        for expected, found in zip(walk(env, 30), walk(again, 30), strict=True):
            assert_same(expected, found)


@by_id
def test_two_with_the_same_seed_agree_and_so_does_one_with_itself(env_id: str) -> None:
    env, other = gymnasium.make(env_id), gymnasium.make(env_id)
    first = list(walk(env, 50))
    for expected, found, again in zip(first, walk(other, 50), walk(env, 50), strict=True):
        assert_same(expected, found)
        assert_same(expected, again)
    assert any(not np.array_equal(a[0]["map"], b[0]["map"]) for a, b in zip(first, walk(env, 50, seed=8), strict=False))


@by_id
def test_no_nan_reaches_an_observation(env_id: str) -> None:
    env = gymnasium.make(env_id, budget_runs=None, max_steps=None)
    for observation, *_ in walk(env, 300):
        assert observation in env.observation_space
        assert all(np.isfinite(values).all() for values in observation.values())


def test_what_was_never_recorded_is_masked_for_ever() -> None:
    env = toy()
    _, info = env.reset(seed=0, options={"scenario": "high"})
    unrecorded = [SPACE.index(config) for config in SPACE if ("b", 15) in config]
    assert info["n_unrecorded"] == len(unrecorded)
    assert np.flatnonzero(info["action_mask"] == 0).tolist() == unrecorded
    _, reward, *_, info = env.step(unrecorded[0])
    assert (info["skip_reason"], info["n_runs"], reward) == ("never recorded", 0, -1 / info["n_unknown"])
    while info["n_unknown"]:
        _, _, terminated, _, info = env.step(int(np.flatnonzero(info["action_mask"])[0]))
        assert terminated == (info["n_unknown"] == 0)


def test_scenarios_are_drawn_and_can_be_fixed() -> None:
    env = toy()
    drawn = [env.reset(seed=0)[1]["scenario"], *(env.reset()[1]["scenario"] for _ in range(30))]
    assert set(drawn) == {"low", "high"}
    assert [env.reset(seed=0)[1]["scenario"], *(env.reset()[1]["scenario"] for _ in range(30))] == drawn
    assert {env.reset(options={"scenario": "low"})[1]["scenario"] for _ in range(9)} == {"low"}


def test_verdicts_are_inferred_on_both_sides_or_one() -> None:
    for dominance, resolved in (("two_sided", 5), ("within_sets", 2), ("one_sided", 1)):
        env = toy(dominance=dominance)
        env.reset(seed=0)
        *_, info = env.step(SPACE.index([("a", 10), ("b", 10)]))
        assert (info["verdict"], info["n_resolved"]) == ("OK", resolved)
        *_, info = env.step(SPACE.index([("a", 10), ("b", 5)]))
        expected = None if dominance == "one_sided" else "is dominated by a 10 rps + b 10 rps, which is OK"
        assert info.get("skip_reason") == expected


def test_an_episode_without_end_is_ended_by_its_steps() -> None:
    env = toy(budget_runs=3, max_steps=5)
    env.reset(seed=0)
    ends = [env.step(0)[3] for _ in range(5)]
    assert ends == [False] * 4 + [True]
    assert env.status is EndStatus.BUDGET


@given(st.integers(0, 2**31), st.sampled_from(IDS), st.sampled_from(["frontier", "goodput"]))
@settings(max_examples=20, deadline=None)
def test_rewards_and_ends_follow_their_laws(seed: int, env_id: str, reward: str) -> None:
    env = gymnasium.make(env_id, budget_runs=12, max_steps=30, reward=reward)
    _, info = env.reset(seed=seed)
    n_recorded, total, n_runs, n_steps, ended = info["n_unknown"], 0.0, 0, 0, False
    rng = np.random.default_rng(seed)
    while not ended:
        before = info["n_unknown"]
        _, value, terminated, truncated, info = env.step(int(rng.integers(len(info["action_mask"]))))
        total, n_runs, n_steps = total + float(value), n_runs + info["n_runs"], n_steps + 1
        assert before - info["n_unknown"] == info["n_resolved"]
        assert terminated == (info["n_unknown"] == 0)
        assert truncated == (not terminated and (n_runs >= 12 or n_steps >= 30))
        ended = terminated or truncated
    charged = 1 if truncated else min(1, n_steps / 12)
    if reward == "frontier":
        assert total == pytest.approx((n_recorded - info["n_unknown"]) / n_recorded - charged)
    else:
        assert -1e-9 <= total + charged <= 1 + 1e-9


def test_a_policy_learns_from_each_event_and_the_cartesian_agent_walks_the_plan() -> None:
    env, policy = toy(dominance="one_sided"), RecordingPolicy()
    result = run_campaign(env, PolicyAgent(policy, CartesianScheduler(), batch_size=4), seed=1)
    assert result.status is EndStatus.COMPLETE
    assert len(policy.online) == result.n_runs
    assert {event.config_key: event.verdict for event in policy.online} == env.known.measured
    assert [SPACE.index(event.config_pairs) for event in policy.online] == sorted(
        SPACE.index(event.config_pairs) for event in policy.online
    )
    assert result.total_reward == pytest.approx(max(0, 1 - result.n_steps / env.known.n_configs))


def test_micro_batches_are_handed_over_and_the_rest_at_the_end() -> None:
    env, policy = toy(schedule=UpdateSchedule("micro_batch", batch_size=4), budget_runs=6), RecordingPolicy()
    run_campaign(env, PolicyAgent(policy, CartesianScheduler()), seed=1)
    assert [len(batch) for batch in policy.batches] == [4, 2]


def test_a_policy_is_set_up_with_nothing_to_peep_at() -> None:
    seen: list[PolicyContext] = []

    class Curious(NoOpPolicy):
        def setup(self, context: PolicyContext) -> None:
            seen.append(context)
            assert len(context.tensors) == 0

    run_campaign(toy(budget_runs=3), PolicyAgent(Curious(), CartesianScheduler()), seed=5)
    (context,) = seen
    assert context.space is SPACE
    assert (context.seed, context.config, list(context.history)) == (5, {"toy": True}, [])
    assert len(context.tensors) == 3


def test_an_observer_is_told_of_each_run() -> None:
    told: list[str] = []

    class Observer:
        def starting(self, config: Any, iteration: int) -> None:
            told.append("starting")

        def measured(self, event: ExecutionEvent) -> None:
            told.append(event.verdict)

        def concluded(self, config: Any, verdict: Verdict, resolved: int) -> None:
            told.append(f"{verdict} {resolved}")

    env = toy()
    env.observer = Observer()
    env.reset(seed=0)
    env.step(0)
    assert told == ["starting", "OK", "OK 1"]


def test_the_baseline_runs_on_both(tmp_path: Path) -> None:
    for env_id in IDS:
        result = run_campaign(gymnasium.make(env_id, budget_runs=20), CartesianAgent(DfaasConfig()), seed=3)
        assert (result.status, result.n_runs) == (EndStatus.BUDGET, 20)


def test_a_space_beyond_the_limit_is_simulated_one_at_a_time() -> None:
    rates_rps = {"fetch": range(1050), "primes": range(1000)}
    env = gymnasium.make("peva/FaasSim-v1", node="local", rates_rps=rates_rps)
    _, info = env.reset(seed=0)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([1051, 1001])
    *_, info = env.step(env.unwrapped.action([("fetch", 190), ("primes", 0)]))  # type: ignore[attr-defined]
    assert info["verdict"] == "OVERLOADED"
    assert [mask[0] for mask in info["action_mask"]] == [0, 0]  # no function of the plan is absent
    for action in ([-1, 1], [1051, 1], [1], [1.0, 1.0], None):
        with pytest.raises(IndexError, match="is not one of"):
            env.unwrapped.step(action)
    *_, info = env.step(env.unwrapped.action([("fetch", 200), ("primes", 20)]))  # type: ignore[attr-defined]
    assert info["skip_reason"] == "dominates fetch 190 rps + primes 0 rps, which is overloaded"


@pytest.mark.parametrize(
    ("env_id", "arguments", "said"),
    [
        (IDS[0], {"budget_runs": -1}, "budget_runs = -1: input should be greater than 0"),
        (IDS[0], {"budget_runs": 2.5}, "budget_runs = 2.5: must be a whole number"),
        (IDS[0], {"budget_runs": True}, "budget_runs: must be a number, not true"),
        (IDS[0], {"budget_runs": "5"}, "budget_runs = '5': must be a whole number"),
        (IDS[0], {"budget_seconds": 0}, "budget_seconds = 0: input should be greater than 0"),
        (IDS[0], {"budget_seconds": float("nan")}, "budget_seconds = nan: must be a finite number"),
        (IDS[0], {"max_steps": 0}, "max_steps = 0: input should be greater than 0"),
        (IDS[0], {"noise": "30"}, "noise = '30': must be a number"),
        (IDS[0], {"reward": None}, "reward = None: must be text"),
        (IDS[0], {"rates_rps": {}}, "rates_rps: must not be empty"),
        (IDS[0], {"rates_rps": {"a": 5}}, "rates_rps.a = 5: must be a list"),
        (IDS[0], {"rates_rps": {"a": [True]}}, "rates_rps.a.0. = True: must be a whole number"),
        (IDS[0], {"rates_rps": {"a": [2**31]}}, "2147483648 rps is beyond 2,147,483,647"),
        (IDS[0], {"node": 5}, "node"),
        (IDS[1], {"data": 5}, "data = 5: must be a list"),
        (IDS[1], {"data": []}, r"data = \[\]: must not be empty"),
        (IDS[1], {"scenarios": "nope"}, "nope"),
        (IDS[0], {"budget_rums": 3}, "did you mean 'budget_runs'"),
        (
            IDS[0],
            {"dominance": "both"},
            "dominance = 'both': input should be 'one_sided', 'two_sided' or 'within_sets'",
        ),
        (IDS[0], {"selection_mode": "later"}, "selection_mode = 'later'"),
        (IDS[0], {"reward": "fame"}, "must be one of frontier, goodput, early, seconds, right, or a 'module:Class'"),
        (IDS[0], {"reward": "tests.nowhere:Reward"}, "there is no module 'tests.nowhere'"),
        (IDS[0], {"reward": "goodput", "reward_kwargs": {"p95": 3}}, "cannot be built: .*p95"),
        (IDS[0], {"reward": "goodput", "reward_kwargs": {"p95_ms": -3}}, "p95_ms must be above 0"),
        (IDS[0], {"rates_rps": {"a": []}}, "needs at least one rate"),
        (IDS[0], {"node": "lokal"}, "local"),
        (IDS[1], {"data": "local-node-v2"}, "local-node-v2"),
        (IDS[1], {"scenarios": ["nope"]}, "nope"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(env_id: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        gymnasium.make(env_id, **arguments)
    assert "\n" not in str(caught.value)


def test_wrong_reset_options_are_refused_in_one_line() -> None:
    env = gymnasium.make(IDS[1])
    with pytest.raises(ConfigError, match="unknown reset option 'warm_start'; known: scenario"):
        env.reset(options={"warm_start": True})
    with pytest.raises(ConfigError, match=r"unknown scenario .* \(1 are known\); did you mean"):
        env.reset(options={"scenario": "LIGHT"})
    with pytest.raises(ConfigError, match="must be a mapping"):
        env.unwrapped.reset(options="scenario")  # type: ignore[arg-type]


def test_a_reset_that_is_refused_changes_nothing() -> None:
    env, other = toy(), toy()
    for one in (env, other):
        one.reset(seed=1)
        one.step(3)
    with pytest.raises(ConfigError):
        env.reset(seed=5, options={"scenario": "nope"})
    assert env.status is EndStatus.RUNNING
    assert_same(env.step(5), other.step(5))
    assert_same(env.reset(), other.reset())


def test_costs_that_add_up_to_the_budget_spend_it() -> None:
    # 10 x 6.3 is a little under 63 in floating point
    arguments: Any = {"duration_s": 1.3, "budget_seconds": 63.0, "budget_runs": None, "dominance": "one_sided"}
    rates: Any = {"node": "local", "rates_rps": {"fetch": list(range(50))}}
    env = gymnasium.make(IDS[0], **arguments, **rates)
    vector: Any = gymnasium.make_vec(IDS[0], num_envs=1, vectorization_mode="vector_entry_point", **arguments, **rates)
    env.reset(seed=0)
    vector.reset(seed=0)
    ends = [(env.step(action)[3], bool(vector.step(np.array([action]))[3][0])) for action in range(10)]
    assert ends == [(False, False)] * 9 + [(True, True)]


def test_a_policy_is_attached_to_a_campaign_that_runs() -> None:
    env = toy()
    with pytest.raises(ResetNeeded):
        env.attach_policy(RecordingPolicy(), agent="early")
    policy = RecordingPolicy()
    env.reset(seed=0)
    env.attach_policy(policy, agent="now")
    env.step(0)
    env.reset()
    env.step(1)
    assert len(policy.online) == 1


def test_what_fails_is_not_taught_what_is_pending() -> None:
    env, policy = toy(schedule=UpdateSchedule("micro_batch")), RecordingPolicy()
    env.reset(seed=0)
    env.attach_policy(policy, agent="test")
    env.step(0)
    env.end(EndStatus.FAILED)
    assert policy.batches == []


def test_copied_in_the_middle_of_an_episode_it_goes_on_alike() -> None:
    for env_id in IDS:
        env = gymnasium.make(env_id)
        env.reset(seed=2)
        env.step(7)
        copies = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]  # noqa: S301 - our own
        expected = [env.step(action) for action in (9, 30, 100)] + [env.reset()]
        for other in copies:
            for one, found in zip(
                expected, [*(other.step(action) for action in (9, 30, 100)), other.reset()], strict=True
            ):
                assert_same(one, found)


def test_it_runs_in_processes_of_its_own() -> None:
    envs = gymnasium.make_vec(
        IDS[1],
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": PROCESSES.get_start_method()},
        budget_runs=2,
    )
    observation, _ = envs.reset(seed=1)
    assert observation in envs.observation_space
    envs.step(envs.action_space.sample())
    envs.close()


@by_id
def test_by_default_an_episode_takes_four_steps_a_run_at_most(env_id: str) -> None:
    env = gymnasium.make(env_id, budget_runs=3)
    env.reset(seed=0)
    env.step(0)
    ends = [env.step(0)[3] for _ in range(11)]
    assert ends == [False] * 10 + [True]
