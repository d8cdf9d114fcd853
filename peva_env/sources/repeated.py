"""Worlds in which a configuration is measured several times at once, and the majority decides.

Of its runs one stands for all: the first that says what most of them say. Its cost is that of all together. So what a
campaign asks for in full, as live ones do, is still one step.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, MeasurementSource
from peva_env.rules import majority, majority_labels
from peva_env.sources.episodes import Episodes, Indices, Outcomes, Seeds, World
from peva_env.space import Config, ConfigSpace


@dataclass(frozen=True, slots=True)
class RepeatedWorld:
    """Another world, each configuration of which is measured ``iterations`` times; a tie is OK, as in a campaign."""

    world: World
    iterations: int

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of the scenarios."""
        return self.world.scenarios

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario."""
        return self.world.space(scenario)

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations can be measured, (n, N)."""
        return self.world.recorded(scenarios)

    def begin(self, seeds: Seeds, scenarios: Indices) -> "RepeatedEpisodes":
        """Begin ``n`` episodes, each of a scenario."""
        return RepeatedEpisodes(self.world.begin(seeds, scenarios), self.iterations)

    def source(self, seed: int, scenario: int) -> "RepeatedSource":
        """Return what measures in one episode, as events."""
        return RepeatedSource(self.world.source(seed, scenario), self.iterations)


@dataclass(frozen=True, slots=True)
class RepeatedEpisodes:
    """Episodes of such a world, side by side."""

    episodes: Episodes
    iterations: int

    def outcomes(self, indices: Indices, iteration: int = 0) -> Outcomes:
        """Return what most of the runs of configuration ``indices[i]`` (n,) in episode ``i`` say."""
        first = iteration * self.iterations
        runs = [self.episodes.outcomes(indices, first + i) for i in range(self.iterations)]
        labels = np.array([run.labels for run in runs])
        decided = majority_labels(labels.sum(axis=0), np.count_nonzero(labels, axis=0))
        which, each = (labels == decided).argmax(axis=0), np.arange(labels.shape[1])
        return Outcomes(
            labels=decided,
            values=np.array([run.values for run in runs])[which, each],
            mask=np.array([run.mask for run in runs])[which, each],
            cost_s=np.sum([run.cost_s for run in runs], axis=0),
        )

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the episodes at ``where`` (k,) by those that as many others of the same world have there."""
        self.episodes.adopt(where, others.episodes)


@dataclass(frozen=True, slots=True)
class RepeatedSource:
    """Measures in one episode of such a world."""

    source: MeasurementSource
    iterations: int

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        """Measure a configuration ``iterations`` times; return the run that stands for all."""
        first = iteration * self.iterations
        runs = [self.source.measure(config, iteration=first + i, rng=rng) for i in range(self.iterations)]
        verdict = majority(run.verdict for run in runs)
        one = next(run for run in runs if run.verdict is verdict)
        return replace(one, iteration=iteration, cost_s=sum(run.cost_s for run in runs))

    def close(self) -> None:
        """Close the source."""
        self.source.close()
