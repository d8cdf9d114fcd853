"""Several worlds as one, such as one recording under several objectives. Each scenario is of one world.

Notation: ``n`` episodes, ``N`` configurations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import MeasurementSource
from peva_env.errors import ConfigError
from peva_env.sources.episodes import Episodes, Indices, Outcomes, Seeds, World
from peva_env.space import ConfigSpace


class UnitedWorld:
    """A ``World`` whose scenarios are those of other worlds, ``SCENARIO@NAME``.

    Args:
        worlds: the worlds by their names.

    Raises:
        ConfigError: the spaces of the worlds have different shapes.
    """

    def __init__(self, worlds: Mapping[str, World]) -> None:
        self._worlds = list(worlds.values())
        self._names = [f"{scenario}@{name}" for name, world in worlds.items() for scenario in world.scenarios]
        pairs = [(number, own) for number, world in enumerate(self._worlds) for own in range(len(world.scenarios))]
        self._world, self._scenario = np.array(pairs, np.int64).T
        shapes = {_shape(world.space(0)): name for name, world in worlds.items()}
        if len(shapes) > 1:
            one, other, *_ = shapes.values()
            raise ConfigError(
                f"objectives {one} and {other} leave maps of different shapes; choose scenarios with scenarios=[...]"
            )

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of all scenarios."""
        return tuple(self._names)

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario."""
        world, own = self.origin(scenario)
        return world.space(own)

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations can be measured, (n, N)."""
        recorded = [world.recorded(self._own(number, scenarios)) for number, world in enumerate(self._worlds)]
        chosen: NDArray[np.bool_] = np.array(recorded)[self._world[scenarios], np.arange(len(scenarios))]
        return chosen

    def begin(self, seeds: Seeds, scenarios: Indices) -> "UnitedEpisodes":
        """Begin ``n`` episodes; ``seeds`` (n,) decide all their random draws."""
        parts = [world.begin(seeds, self._own(number, scenarios)) for number, world in enumerate(self._worlds)]
        return UnitedEpisodes(parts, self._world[scenarios])

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:
        """Return the true labels of one episode, (N,)."""
        world, own = self.origin(scenario)
        return world.truth(seed, own)

    def source(self, seed: int, scenario: int) -> MeasurementSource:
        """Return the measurement source of one episode."""
        world, own = self.origin(scenario)
        return world.source(seed, own)

    def origin(self, scenario: int) -> tuple[World, int]:
        """Return the world of a scenario, and its number there."""
        return self._worlds[self._world[scenario]], int(self._scenario[scenario])

    def _own(self, number: int, scenarios: Indices) -> Indices:
        """Return the scenarios (n,) within one world; 0 for those of other worlds."""
        own: Indices = np.where(self._world[scenarios] == number, self._scenario[scenarios], 0)
        return own


@dataclass(frozen=True, slots=True)
class UnitedEpisodes:
    """Episodes of a ``UnitedWorld``, side by side. Each world has all ``n``, so that they can change their world."""

    parts: Sequence[Episodes]
    world: Indices  # (n,): the part that each episode is played in

    def outcomes(self, indices: Indices, iteration: int | Indices = 0) -> Outcomes:
        """Return the outcome of configuration ``indices[i]`` in each episode ``i``."""
        numbers = np.unique(self.world)
        outcomes: list[Outcomes] = [self.parts[number].outcomes(indices, iteration) for number in numbers]
        if len(outcomes) == 1:
            return outcomes[0]
        choice = np.searchsorted(numbers, self.world), np.arange(len(indices))
        return Outcomes(
            labels=np.array([one.labels for one in outcomes])[choice],
            values=np.array([one.values for one in outcomes])[choice],
            mask=np.array([one.mask for one in outcomes])[choice],
            cost_s=np.array([one.cost_s for one in outcomes])[choice],
            mean_ms=np.array([one.mean_ms for one in outcomes])[choice],
        )

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the episodes at ``where`` (k,) by the episodes of ``others`` at the same positions."""
        for part, other in zip(self.parts, others.parts, strict=True):
            part.adopt(where, other)
        self.world[where] = others.world[where]


def _shape(space: ConfigSpace) -> tuple[object, ...]:
    return space.rates_rps, space.min_functions, space.max_functions
