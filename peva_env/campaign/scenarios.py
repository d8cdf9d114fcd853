"""For training and testing: selected scenarios of a world, and the true labels of an episode."""

from collections.abc import Sequence

import numpy as np
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray

from peva_env.campaign.episode_seeds import episode_seeds, first_seed
from peva_env.contracts import MeasurementSource
from peva_env.errors import ConfigError
from peva_env.sources import Episodes, Indices, Seeds, World
from peva_env.sources.replay import matching_names
from peva_env.space import ConfigSpace


class SomeScenarios:
    """A ``World`` of selected scenarios of another world, with the spaces of that world.

    So an agent trained on some recorded maps fits the others, even if they have other rates.
    """

    def __init__(self, world: World, names: Sequence[str]) -> None:
        self.world = world
        self.numbers = np.array([world.scenarios.index(name) for name in names])

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of the selected scenarios."""
        return tuple(self.world.scenarios[number] for number in self.numbers)

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario."""
        return self.world.space(int(self.numbers[scenario]))

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations can be measured, (n, N)."""
        return self.world.recorded(self.numbers[scenarios])

    def begin(self, seeds: Seeds, scenarios: Indices) -> Episodes:
        """Begin ``n`` episodes; ``seeds`` (n,) decide all their random draws."""
        return self.world.begin(seeds, self.numbers[scenarios])

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:
        """Return the true labels of one episode, (N,)."""
        return self.world.truth(seed, int(self.numbers[scenario]))

    def source(self, seed: int, scenario: int) -> MeasurementSource:
        """Return the measurement source of one episode."""
        return self.world.source(seed, int(self.numbers[scenario]))


def select_scenarios(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the names that are ``wanted``, by a whole name or by a prefix that ends in ``*``, each once.

    Raises:
        ConfigError: a wanted name or prefix matches none.
    """
    chosen: dict[str, None] = {}
    for text in wanted:
        found = matching_names(names, text)
        if not found:
            begins = any(name.startswith(text) for name in names)
            hint = f"for all maps whose names begin so: {text}*" if begins else f"there are: {', '.join(names)}"
            raise ConfigError(f"scenario {text!r} is not recorded; {hint}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def true_labels(world: World, seed: int, scenario: int) -> NDArray[np.int8]:
    """Return the true labels in the first episode after ``reset(seed=seed)``, (N,): -1 OK, 1 overloaded, 0 no record.

    In a recording, the majority of a configuration's runs is its true label; on a simulated node, the noiseless label.
    """
    first = np.array([first_seed(np_random(seed)[0])], np.uint64)
    return world.truth(int(episode_seeds(first, np.zeros(1, np.int64))[0]), scenario)
