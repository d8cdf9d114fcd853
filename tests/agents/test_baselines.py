"""Agents that need no training: legal, deterministic, complete; and bisection resolves what it says on every space."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import gymnasium
import numpy as np
import pytest

from peva_agents.bandit import BanditAgent
from peva_agents.bisection import BisectionAgent
from peva_agents.level_set import LevelSetAgent
from peva_agents.loop import run_campaign
from peva_agents.rivals import GlobalMIAgent, GlobalSURAgent, IsotonicAgent
from peva_agents.staircase import StaircaseAgent
from peva_agents.uniform import UniformAgent
from peva_env.campaign import OfflineSetup, simulated_setup
from peva_env.campaign.offline import OfflineSettings
from peva_env.config import DfaasConfig
from peva_env.contracts import EndStatus
from peva_env.env import PevaEnv
from peva_env.inference import Blocks, Lattice, MonotoneMap, RateGrid
from peva_env.objectives import make_objective
from peva_env.space import ConfigSpace
from tests.support.toy_world import SPACE, ToyWorld

type MakeAgent = Callable[[DfaasConfig], Any]

WITH_ZERO = ConfigSpace({"a": [0, 10, 20], "b": [0, 5], "c": [7]}, max_functions=4)
ALWAYS_BOTH = ConfigSpace({"a": [3, 9], "b": [1, 2, 3]}, min_functions=2, max_functions=3)

AT_RANDOM = [UniformAgent, BisectionAgent, BanditAgent]

at_random = pytest.mark.parametrize("make", AT_RANDOM)
RIVALS = [GlobalSURAgent, GlobalMIAgent, IsotonicAgent]
agents = pytest.mark.parametrize("make", [*AT_RANDOM, StaircaseAgent, LevelSetAgent, *RIVALS])


def toy(**settings: Any) -> PevaEnv:
    setup = OfflineSetup(ToyWorld(), OfflineSettings(**settings), make_objective("frontier", {}, SPACE), {})
    return PevaEnv(setup.campaigns(), setup.objective)


def asked(env: gymnasium.Env[Any, Any], agent: Any, **options: Any) -> list[Any]:
    """Play an episode and return the actions."""
    actions: list[Any] = []
    decide = agent.act

    def act(observation: Any, info: Any) -> Any:
        actions.append(decide(observation, info))
        return actions[-1]

    agent.act = act
    run_campaign(env, agent, **options)
    return actions


@agents
@pytest.mark.parametrize("dominance", ["one_sided", "two_sided"])
@pytest.mark.parametrize("scenario", ["low", "high"])
def test_a_campaign_is_completed_without_a_wasted_step(make: MakeAgent, dominance: str, scenario: str) -> None:
    result = run_campaign(toy(dominance=dominance), make(DfaasConfig()), seed=1, options={"scenario": scenario})
    assert result.status is EndStatus.COMPLETE
    assert result.n_runs == result.n_steps


@at_random
@pytest.mark.parametrize("name", ["FaasSim", "FaasReplay"])
def test_the_seed_decides(make: MakeAgent, name: str) -> None:
    env = gymnasium.make(f"peva_env:peva/{name}-v1")

    def play(seed: int) -> list[Any]:
        return asked(env, make(DfaasConfig(seed=seed)), seed=4)

    assert play(0) == play(0)
    assert play(0) != play(1)


@at_random
def test_the_campaigns_of_one_agent_differ(make: MakeAgent) -> None:
    env, agent = gymnasium.make("peva_env:peva/FaasSim-v1"), make(DfaasConfig())
    assert asked(env, agent, seed=4) != asked(env, agent, seed=4)


@pytest.mark.parametrize("space", [SPACE, WITH_ZERO, ALWAYS_BOTH])
def test_the_lattice_counts_what_two_sided_dominance_reaches(space: ConfigSpace) -> None:
    grid = RateGrid(space)
    lattice = Lattice(space, grid.rates_rps)
    chosen = np.random.default_rng(3).random(space.n_configs) < 0.6
    everywhere = slice(None)
    above = [np.count_nonzero(chosen & grid.reached(i, 1, everywhere, "two_sided")) for i in range(space.n_configs)]
    below = [np.count_nonzero(chosen & grid.reached(i, -1, everywhere, "two_sided")) for i in range(space.n_configs)]
    assert lattice.at_or_above(chosen).tolist() == above
    assert lattice.at_or_below(chosen).tolist() == below


@pytest.mark.parametrize("space", [SPACE, WITH_ZERO, ALWAYS_BOTH])
def test_blocks_count_the_same_within_each_set_of_functions(space: ConfigSpace) -> None:
    grid, blocks = RateGrid(space), Blocks(space)
    chosen = np.random.default_rng(3).random(space.n_configs) < 0.6
    same = grid.sets[:, None] == grid.sets
    all_of = slice(None)
    for label, counted in ((1, blocks.at_or_above(chosen)), (-1, blocks.at_or_below(chosen))):
        reached = [chosen & same[i] & grid.reached(i, label, all_of, "two_sided") for i in range(space.n_configs)]
        assert counted.tolist() == [int(one.sum()) for one in reached]


@pytest.mark.parametrize("dominance", ["two_sided", "within_sets"])
def test_bisection_asks_for_what_resolves_most_in_the_worse_case(dominance: str) -> None:
    env = toy(dominance=dominance)
    observation, info = env.reset(seed=2, options={"scenario": "low"})
    agent = BisectionAgent()
    agent.begin(env)
    for _ in range(4):
        action = agent.act(observation, info)
        worst = [worst_case(env.known, index) for index in np.flatnonzero(info["action_mask"])]
        assert worst_case(env.known, action) == max(worst)
        observation, _, terminated, _, info = env.step(action)
        if terminated:
            break


def worst_case(known: MonotoneMap, index: Any) -> int:
    assert known.labels is not None
    resolved = []
    for label in (-1, 1):
        copy = MonotoneMap(known.space, dominance=known.dominance)
        assert copy.labels is not None
        copy.labels[:] = known.labels
        resolved.append(len(copy.enter(int(index), label)))
    return min(resolved)


def test_of_many_functions_few_at_once_bisection_looks_at_samples() -> None:
    setup = simulated_setup(
        rates_rps={f"f{i}": [20, 100, 200] for i in range(14)}, min_functions=1, max_functions=3, budget_runs=40
    )
    env = PevaEnv(setup.campaigns(), setup.objective)
    by_bisection = run_campaign(env, BisectionAgent(), seed=1)
    left = env.known.n_unknown
    run_campaign(env, UniformAgent(), seed=1)
    assert by_bisection.n_runs == by_bisection.n_steps == 40
    assert left < env.known.n_unknown


@agents
def test_a_space_without_a_mask_is_explored_without_asking_twice(make: MakeAgent) -> None:
    setup = simulated_setup(rates_rps={name: list(range(20, 122)) for name in "abc"}, budget_runs=6)
    env = PevaEnv(setup.campaigns(), setup.objective)
    assert isinstance(env.action_space, gymnasium.spaces.MultiDiscrete)
    actions = asked(env, make(DfaasConfig()), seed=1)
    assert len({tuple(action) for action in actions}) == len(actions) >= 6


NAMES = ["uniform", "bisection", "staircase", "bandit", "level_set", "global_sur", "global_mi", "isotonic"]


@pytest.mark.parametrize("name", NAMES)
def test_agents_are_found_by_name(name: str) -> None:
    assert entry_points(group="peva_env.agents")[name].load()(DfaasConfig()).name == name
