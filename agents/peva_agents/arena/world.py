"""The world of an arena: recorded maps with several episodes each, or simulated nodes with one episode each."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from peva_agents.arena.scores import Labels, certificate_size
from peva_agents.arena.seeds import part_seeds
from peva_env.campaign import OfflineSetup, replay_setup, simulated_setup, true_labels
from peva_env.config.offline import ArenaConfig
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.inference import OVERLOADED_LABEL, RateGrid
from peva_env.space import Dominance


class Episode(NamedTuple):
    """An episode of a world: its scenario, and the seed of the environment and of the agent.

    ``map`` is the name in results: the scenario, or the number of a simulated node.
    """

    map: str
    scenario: str
    seed: int


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of an episode: labels (N,), the number of recorded ones, and the share of these that is overloaded.

    ``certificate`` is the least number of runs that prove it: see ``peva_agents.arena.scores.certificate_size``.
    """

    labels: Labels
    recorded: int
    overloaded: float
    certificate: int


class ArenaWorld:
    """The world of an arena.

    Raises:
        ConfigError: a setting cannot be used, or no map has ``min_recorded`` recorded configurations.
        MemoryStoreError: a recording cannot be read.
    """

    def __init__(self, config: ArenaConfig) -> None:
        self.config = config
        self._setup = _setup(config)
        self._grid = RateGrid(self._setup.world.space(0))
        self._envs: dict[tuple[str, bool], PevaEnv] = {}
        self.truth = lru_cache(maxsize=256)(self._truth)
        self.episodes = self._nodes() if config.sim else self._recorded()

    @property
    def most_recorded(self) -> int:
        """The configurations of the largest map."""
        return max(self._n_recorded().values())

    def env(self, dominance: str, *, limited: bool) -> PevaEnv:
        """Return an environment with a kind of dominance; if ``limited``, episodes end after ``max_runs``."""
        key = dominance, limited
        if key not in self._envs:
            runs = self.config.max_runs if limited else None
            setup = replace(self._setup, settings=replace(self._setup.settings, budget_runs=runs))
            self._envs[key] = PevaEnv(setup.campaigns(cast(Dominance, dominance)), setup.objective)
        return self._envs[key]

    def _truth(self, episode: Episode) -> Truth:
        world = self._setup.world
        labels = true_labels(world, episode.seed, world.scenarios.index(episode.scenario))
        recorded = int(np.count_nonzero(labels))
        overloaded = np.count_nonzero(labels == OVERLOADED_LABEL) / recorded
        return Truth(labels, recorded, overloaded, certificate_size(self._grid, labels))

    def _nodes(self) -> list[Episode]:
        """Return an episode for each simulated node; ``peva-env train --sim random`` never learns on them."""
        (scenario,) = self._setup.world.scenarios
        seeds = part_seeds("test", self.config.n_nodes, 0)
        return [Episode(f"random:{number}", scenario, seed) for number, seed in enumerate(seeds)]

    def _n_recorded(self) -> dict[str, int]:
        """Return the number of configurations of each map."""
        world = self._setup.world
        return {name: int(np.count_nonzero(world.recorded(np.array([i])))) for i, name in enumerate(world.scenarios)}

    def _recorded(self) -> list[Episode]:
        n_recorded, least = self._n_recorded(), self.config.min_recorded or 1
        names = [name for name, n in n_recorded.items() if n >= least]
        if not names:
            most = max(n_recorded, key=lambda name: n_recorded[name])
            raise ConfigError(
                f"--min-recorded {least}: no map has so many recorded configurations; "
                f"the largest, {most}, has {n_recorded[most]:,}"
            )
        return [Episode(name, name, seed) for name in names for seed in range(self.config.seeds or 1)]


def _setup(config: ArenaConfig) -> OfflineSetup:
    arguments: dict[str, Any] = {"budget_runs": None, "iterations": config.iterations}
    if config.prior is not None:
        arguments["prior"] = list(config.prior)
    if config.data is not None:
        scenarios = None if config.scenarios is None else list(config.scenarios)
        return replay_setup(list(config.data), scenarios=scenarios, **arguments)
    if config.rates_rps is not None:
        arguments["rates_rps"] = config.rates_rps
    if config.noise is not None:
        arguments["noise"] = config.noise
    return simulated_setup("random", **arguments)
