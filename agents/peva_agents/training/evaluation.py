"""Comparing a trained policy with the baselines on test episodes, at the budget of the training.

Every agent plays the same episodes: the same maps or nodes, with the same noise. An agent is judged by the map that is
known at the end of an episode; *accuracy* is the share of the recorded configurations whose label there is true, so
that an unknown configuration counts as wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_agents.arena import Episode, bootstrap, mean, play_episode, resamples
from peva_agents.bisection import BisectionAgent
from peva_agents.cartesian import CartesianAgent
from peva_agents.training.worlds import TrainingWorlds, worlds_of
from peva_agents.uniform import UniformAgent
from peva_env.campaign import true_labels
from peva_env.config import DfaasConfig
from peva_env.config.offline import TrainingConfig
from peva_env.contracts import Agent
from peva_env.env import PevaEnv
from peva_env.space import Dominance

COLUMNS = {"resolved": "resolved", "accuracy": "accuracy", "reward": "return", "n_runs": "runs"}
"""The figures of an episode, each with the head of its column in a table."""

type MakeAgent = Callable[[DfaasConfig], Agent]

_BASELINES: Mapping[str, tuple[MakeAgent, Dominance | None]] = {
    "cartesian (one-sided)": (CartesianAgent, "one_sided"),
    "uniform": (UniformAgent, None),
    "bisection": (BisectionAgent, None),
}
"""Agents by name, each with the dominance of its episodes; None = the dominance of the training."""


@dataclass(frozen=True, slots=True)
class TestEpisode:
    """An agent's test episode: the shares of the map that are resolved and labelled right, the return, and the runs."""

    __test__ = False  # it is no test of pytest's

    agent: str
    scenario: str
    seed: int
    resolved: float
    accuracy: float
    reward: float
    n_runs: int


def evaluation_tasks(
    models: Mapping[str, MakeAgent], config: TrainingConfig, worlds: TrainingWorlds
) -> list[tuple[Any, ...]]:
    """Return the tasks of ``evaluation_episode``: trained agents and the baselines play each test scenario."""
    entries: dict[str, tuple[MakeAgent, Dominance | None]]
    entries = {**{name: (make_agent, None) for name, make_agent in models.items()}, **_BASELINES}
    settings = config.model_dump_json()
    return [
        (settings, name, *entry, place, i, seed)
        for place in places(worlds)
        for i, seed in enumerate(worlds.seeds("test", config.evaluation_episodes))
        for name, entry in entries.items()
    ]


def evaluation_episode(
    settings: str, name: str, make_agent: MakeAgent, dominance: Dominance | None, place: "Place", number: int, seed: int
) -> TestEpisode:
    """Let an agent play a test episode, at the scenario's ``number``-th seed.

    Raises:
        PevaError: the agent cannot be loaded, or cannot go on.
    """
    env, truth = _env(settings, place.setup, dominance), _truth(settings, place, seed)
    agent = make_agent(DfaasConfig(seed=number))
    result, scorer = play_episode(env, agent, Episode(place.name, place.scenario, seed), truth)
    return TestEpisode(
        agent=name,
        scenario=place.name,
        seed=seed,
        resolved=1 - env.known.n_unknown / env.known.n_configs,
        accuracy=scorer.readings["proved_accuracy"][-1],
        reward=result.total_reward,
        n_runs=result.n_runs,
    )


class Place(NamedTuple):
    """A test scenario: its name in the tables, the number of its setup, and its name there."""

    name: str
    setup: int
    scenario: str


def places(worlds: TrainingWorlds) -> list[Place]:
    """Return the test scenarios; the name of one that several spaces have tells their sizes."""
    setups = worlds.setups["test"]
    several = len(setups) > 1
    found = []
    for number, setup in enumerate(setups):
        space = setup.world.space(0)
        size = f", {len(space.functions)} functions, {space.n_configs:,} configurations" if several else ""
        found += [Place(name + size, number, name) for name in setup.world.scenarios]
    return found


@cache
def _env(settings: str, setup: int, dominance: Dominance | None) -> PevaEnv:
    return worlds_of(settings).single("test", number=setup, dominance=dominance)


@lru_cache(1)
def _truth(settings: str, place: Place, seed: int) -> NDArray[np.int8]:
    """Return the true labels of an episode; the tasks of all agents on it come one after the other."""
    world = worlds_of(settings).setups["test"][place.setup].world
    return true_labels(world, seed, world.scenarios.index(place.scenario))


def evaluation_rows(episodes: Sequence[TestEpisode]) -> list[dict[str, Any]]:
    """Return a row for each agent, over all scenarios and, if there are several, for each of them.

    A figure is its mean over the episodes, with the interval of ``peva_agents.arena.bootstrap``.
    """
    scenarios = list(dict.fromkeys(episode.scenario for episode in episodes))
    rows = []
    for scenario in [*(["all"] if len(scenarios) > 1 else []), *scenarios]:
        among = [episode for episode in episodes if scenario in ("all", episode.scenario)]
        for agent in dict.fromkeys(episode.agent for episode in among):
            own = [asdict(episode) for episode in among if episode.agent == agent]
            figures = {name: _interval(np.array([one[name] for one in own], np.float64)) for name in COLUMNS}
            rows.append({"scenario": scenario, "agent": agent, "n_episodes": len(own), **figures})
    return rows


def _interval(values: NDArray[np.float64]) -> dict[str, float]:
    low, high = bootstrap(values, mean, resamples(len(values)))
    return {"mean": float(mean(values)), "low": low, "high": high}
