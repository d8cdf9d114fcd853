"""Whatever an agent does instead of measuring is worth no more than measuring, under every reward that ships."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_agents.uniform import UniformAgent
from peva_env.campaign import OfflineSetup, replay_setup, simulated_setup
from peva_env.config import DfaasConfig
from peva_env.contracts import Agent, CampaignView
from peva_env.env import PevaEnv
from peva_env.objectives import ILLEGAL_REWARD, OBJECTIVES, Step, make_objective
from peva_env.space import ConfigSpace

WORLDS: dict[str, tuple[Callable[..., OfflineSetup], dict[str, Any]]] = {
    "simulated": (simulated_setup, {"rates_rps": {"a": list(range(0, 201, 20)), "b": list(range(0, 201, 20))}}),
    "recorded": (replay_setup, {}),
}
MAX_STEPS = 120
"""Many more than it takes to complete a map, so that a stalling episode spends any budget and goes on for a while."""

BUDGETS: dict[str, dict[str, Any]] = {
    "runs": {"budget_runs": 16},
    "more runs than it takes": {"budget_runs": 100, "max_steps": MAX_STEPS},
    "seconds": {"budget_runs": None, "budget_seconds": 700.0, "max_steps": MAX_STEPS},
    "both": {"budget_runs": 16, "budget_seconds": 400.0, "max_steps": 40},
    "none": {"budget_runs": None, "max_steps": MAX_STEPS},
}
SEED = 0

type Act = Callable[[np.ndarray[Any, Any], int], int | None]
"""Picks an action by the known configurations, and the number of the step."""

INSTEAD: Mapping[str, Act] = {
    "stall": lambda known, _: int(known[0]),
    "repeat": lambda known, _: int(known[-1]),
    "alternate": lambda known, step: int(known[[0, -1][step % 2]]),
    "no-ops at random": lambda known, step: int(np.random.default_rng(step).choice(known)),
    "give up": lambda _known, _step: None,
}


class Changing:
    """Plays one agent for some runs, and then does something else, or another agent's choices."""

    def __init__(self, first: Agent, n_runs: int, then: Act | Agent) -> None:
        self.name, self.dominance = "changing", first.dominance
        self._first, self._left, self._then, self._n_steps = first, n_runs, then, 0

    def begin(self, campaign: CampaignView) -> None:
        self._first.begin(campaign)
        if not callable(self._then):
            self._then.begin(campaign)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any:
        self._left -= info["n_runs"]
        self._n_steps += 1
        if self._left > 0:
            return self._first.act(observation, info)
        if callable(self._then):
            return self._then(np.flatnonzero(info["action_mask"] == 0), self._n_steps)
        return self._then.act(observation, info)


class Dawdling:
    """Plays an agent, with a few no-ops before each of its runs but the first."""

    def __init__(self, agent: Agent, n_noops: int) -> None:
        self.name, self.dominance = "dawdling", agent.dominance
        self._agent, self._n, self._left = agent, n_noops, 0

    def begin(self, campaign: CampaignView) -> None:
        self._agent.begin(campaign)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any:
        known = np.flatnonzero(info["action_mask"] == 0)
        if info["n_runs"]:
            self._left = self._n
        if self._left and known.size:
            self._left -= 1
            return int(known[self._left % known.size])
        return self._agent.act(observation, info)


class Blind:
    """Takes random actions, known or not."""

    def __init__(self, seed: int) -> None:
        self.name, self.dominance = "blind", "within_sets"
        self._rng = np.random.default_rng(seed)

    def begin(self, campaign: CampaignView) -> None:
        """Nothing is needed."""

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any:
        return int(self._rng.integers(len(info["action_mask"])))


class EveryReward:
    """All rewards that ship, of the same episodes: what an agent does here does not depend on its rewards."""

    def __init__(self, space: ConfigSpace) -> None:
        arguments = {"seconds": {"limit_s": 600.0}}
        self._objectives = [make_objective(name, arguments.get(name, {}), space) for name in OBJECTIVES]
        self.begin()

    def begin(self) -> None:
        """Begin an episode."""
        self.totals = np.zeros(len(self._objectives))
        self._memos = np.zeros((len(self._objectives), 1))

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up each reward; return none."""
        for i, objective in enumerate(self._objectives):
            self.totals[i] += objective.reward(step, self._memos[i])[0]
        return memo


@cache
def make(world: str, budget: str) -> tuple[PevaEnv, EveryReward]:
    make_setup, arguments = WORLDS[world]
    campaigns = make_setup(**arguments, **BUDGETS[budget]).campaigns()
    rewards = EveryReward(campaigns.space)
    return PevaEnv(campaigns, rewards), rewards


def returns(world: str, budget: str, agent: Agent, seed: int) -> NDArray[np.float64]:
    """Let an agent play an episode; return the sum of each reward, in the order of ``OBJECTIVES``."""
    env, rewards = make(world, budget)
    rewards.begin()
    run_campaign(env, agent, seed=seed)
    return rewards.totals


def paying_more(instead: NDArray[np.float64], honest: NDArray[np.float64]) -> list[str]:
    return [reward for reward, is_more in zip(OBJECTIVES, instead > honest + 1e-9, strict=True) if is_more]


def bisection() -> Agent:
    return BisectionAgent(DfaasConfig(seed=0))


def uniform() -> Agent:
    return UniformAgent(DfaasConfig(seed=0))


every_budget = pytest.mark.parametrize(
    ("world", "budget"),
    [*(("simulated", budget) for budget in BUDGETS), *(("recorded", budget) for budget in ("runs", "seconds"))],
)
"""Every budget in one world; one of each unit in the other, which differs only in what a run costs and says."""


@every_budget
def test_giving_up_is_worth_no_more_than_measuring_on(world: str, budget: str) -> None:
    for n_runs in (1, 8):
        honest = [
            returns(world, budget, Changing(bisection(), n_runs, other()), SEED) for other in (bisection, uniform)
        ]
        for name, then in INSTEAD.items():
            instead = returns(world, budget, Changing(bisection(), n_runs, then), SEED)
            assert paying_more(instead, np.min(honest, axis=0)) == [], f"{name} after {n_runs} runs"


@every_budget
def test_no_ops_on_the_way_bring_nothing(world: str, budget: str) -> None:
    for agent in (bisection, uniform):
        honest = returns(world, budget, agent(), SEED)
        for n_noops in (1, 4):
            assert paying_more(returns(world, budget, Dawdling(agent(), n_noops), SEED), honest) == []


@pytest.mark.parametrize("world", WORLDS)
def test_a_good_agent_is_worth_more_than_chance(world: str) -> None:
    agents: dict[str, Callable[[int], Agent]] = {
        "bisection": lambda _: bisection(),
        "legal at random": lambda seed: UniformAgent(DfaasConfig(seed=seed)),
        "blind": Blind,
        "bisection, then stalls": lambda _: Changing(bisection(), 4, INSTEAD["stall"]),
    }
    means = {
        name: np.mean([returns(world, "runs", agent(seed), seed) for seed in range(10)], axis=0)
        for name, agent in agents.items()
    }
    for i, reward in enumerate(OBJECTIVES):
        mean = {name: each[i] for name, each in means.items()}
        assert mean["bisection, then stalls"] <= mean["bisection"], reward
        if reward != "goodput":  # bisection does not look for the best goodput
            assert max(mean, key=lambda name: mean[name]) == "bisection", reward
            assert mean["blind"] < mean["legal at random"], reward


def test_the_first_version_could_be_gamed_and_still_is_what_it_was() -> None:
    """Where a run resolves less of the map than it spends of the budget, no-ops at 0.001 each were worth more."""
    with pytest.warns(DeprecationWarning, match="out of date"):
        env: Any = gymnasium.make("peva_env:peva/FaasSim-v0", budget_runs=64, dominance="one_sided")
    returns = {}
    for name, agent in (("honest", bisection()), ("stalls", Changing(bisection(), 4, INSTEAD["stall"]))):
        result = run_campaign(env, agent, seed=2)
        known = env.unwrapped.known
        charged = result.n_runs / 64 + 0.001 * (result.n_steps - result.n_runs)
        assert result.total_reward == pytest.approx(1 - known.n_unknown / known.n_configs - charged)
        returns[name] = result.total_reward
    assert returns["stalls"] > returns["honest"]


@pytest.mark.filterwarnings("ignore:.*out of date")
def test_a_spec_that_the_first_version_stored_opens_with_its_rewards() -> None:
    """Such a spec names no version."""
    spec = gymnasium.envs.registration.EnvSpec(
        id="peva/FaasSim-v0",
        entry_point="peva_env.make:make_sim_env",
        kwargs={"node": "local", "rates_rps": {"fetch": [20, 40]}, "budget_runs": 4},
    )
    env = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()))
    env.reset(seed=0)
    rewards = [env.step(0)[1] for _ in range(2)]
    assert rewards[1] == ILLEGAL_REWARD
    assert gymnasium.make("peva_env:peva/FaasSim-v0", **spec.kwargs).observation_space == env.observation_space
