"""Worlds in which each measurement takes several runs and the majority decides the verdict.

The outcome is that of the first run with the majority verdict; the cost is the sum of all runs. So a measurement with
several iterations is one step, as in a live campaign.
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
    """A world around another: a measurement takes ``iterations`` runs. A tie is OK, as in a live campaign."""

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
        """Begin ``n`` episodes; ``seeds`` (n,) decide all their random draws."""
        return RepeatedEpisodes(self.world.begin(seeds, scenarios), self.iterations)

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:
        """Return the true labels of one episode, (N,)."""
        return self.world.truth(seed, scenario)

    def source(self, seed: int, scenario: int) -> "RepeatedSource":
        """Return the measurement source of one episode."""
        return RepeatedSource(self.world.source(seed, scenario), self.iterations)


@dataclass(frozen=True, slots=True)
class RepeatedEpisodes:
    """Episodes of a ``RepeatedWorld``, side by side."""

    episodes: Episodes
    iterations: int

    def outcomes(self, indices: Indices, iteration: int | Indices = 0) -> Outcomes:
        """Return the majority outcome of the runs of configuration ``indices[i]`` (n,) in episode ``i``."""
        first = iteration * self.iterations
        runs = [self.episodes.outcomes(indices, first + i) for i in range(self.iterations)]
        labels = np.array([run.labels for run in runs])
        decided = majority_labels(labels.sum(axis=0), np.count_nonzero(labels, axis=0))
        representative, episodes = (labels == decided).argmax(axis=0), np.arange(labels.shape[1])
        return Outcomes(
            labels=decided,
            values=np.array([run.values for run in runs])[representative, episodes],
            mask=np.array([run.mask for run in runs])[representative, episodes],
            cost_s=np.sum([run.cost_s for run in runs], axis=0),
            mean_ms=np.array([run.mean_ms for run in runs])[representative, episodes],
        )

    def adopt(self, where: Indices, others: Self) -> None:
        """Replace the episodes at ``where`` (k,) by the episodes of ``others`` at the same positions."""
        self.episodes.adopt(where, others.episodes)


@dataclass(frozen=True, slots=True)
class RepeatedSource:
    """The measurement source of one episode of a ``RepeatedWorld``."""

    source: MeasurementSource
    iterations: int

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        """Measure ``iterations`` times; return the first run with the majority verdict, and the total cost in it."""
        first = iteration * self.iterations
        runs = [self.source.measure(config, iteration=first + i, rng=rng) for i in range(self.iterations)]
        verdict = majority(run.verdict for run in runs)
        representative = next(run for run in runs if run.verdict is verdict)
        return replace(representative, iteration=iteration, cost_s=sum(run.cost_s for run in runs))

    def close(self) -> None:
        """Close the source."""
        self.source.close()
