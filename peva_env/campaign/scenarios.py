"""Some scenarios of a world as a world of their own, and what is true in an episode: what training and testing take."""

from collections.abc import Sequence

import numpy as np
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray

from peva_env.campaign.episode_seeds import episode_seeds, first_seed
from peva_env.contracts import MeasurementSource
from peva_env.sources import Episodes, Indices, RepeatedWorld, Seeds, World
from peva_env.sources.replay import ReplayWorld
from peva_env.sources.simulated import SimulatedWorld
from peva_env.space import ConfigSpace


class SomeScenarios:
    """A ``World`` of some of another one's scenarios, in the spaces that they have there.

    So what is learned on some recorded maps fits the others, whatever rates are recorded in them.
    """

    def __init__(self, world: World, names: Sequence[str]) -> None:
        self.world = world
        self.numbers = np.array([world.scenarios.index(name) for name in names])

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of those that were chosen."""
        return tuple(self.world.scenarios[number] for number in self.numbers)

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario."""
        return self.world.space(int(self.numbers[scenario]))

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations can be measured, (n, N)."""
        return self.world.recorded(self.numbers[scenarios])

    def begin(self, seeds: Seeds, scenarios: Indices) -> Episodes:
        """Begin ``n`` episodes, each of a scenario."""
        return self.world.begin(seeds, self.numbers[scenarios])

    def source(self, seed: int, scenario: int) -> MeasurementSource:
        """Return what measures in one episode, as events."""
        return self.world.source(seed, int(self.numbers[scenario]))


def true_labels(world: World, seed: int, scenario: int) -> NDArray[np.int8]:
    """Return what is true in the first episode after ``reset(seed=seed)``, (N,): -1 OK, 1 overloaded, 0 no record.

    Of a recording that is what most runs of a configuration say; of a simulated node, what it does without noise.
    """
    if isinstance(world, RepeatedWorld):
        return true_labels(world.world, seed, scenario)
    if isinstance(world, SomeScenarios):
        return true_labels(world.world, seed, int(world.numbers[scenario]))
    if isinstance(world, ReplayWorld):
        return world.majority_labels(scenario)
    assert isinstance(world, SimulatedWorld)  # noqa: S101 - there are no others
    first = np.array([first_seed(np_random(seed)[0])], np.uint64)
    episode_seed = episode_seeds(first, np.zeros(1, np.int64))
    return world.begin(episode_seed, np.array([scenario])).truth(np.arange(world.space(scenario).n_configs))
