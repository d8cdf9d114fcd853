"""A world whose outcomes are written down: what offline environments are tested with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, MeasurementSource, Verdict
from peva_env.inference import VERDICTS
from peva_env.sources import Indices, Outcomes, Seeds, uniforms
from peva_env.space import Config, ConfigSpace
from peva_env.testing.examples import example_event

SPACE = ConfigSpace({"a": [10, 20, 30, 40], "b": [5, 10, 15]}, max_functions=3)


@dataclass
class ToyEpisodes:
    """Overloaded from a total rate on, which chance moves a little."""

    world: "ToyWorld"
    seeds: Seeds
    scenarios: Indices

    def outcomes(self, indices: Indices, iteration: int | Indices = 0) -> Outcomes:
        total = self.world.total_rps[indices]
        limit = self.world.limits_rps[self.scenarios] + self.world.spread_rps * uniforms(self.seeds, indices, iteration)
        labels = np.where(total > limit, 1, -1).astype(np.int8)
        labels[~self.world.recorded(self.scenarios)[np.arange(len(self.scenarios)), indices]] = 0
        values = np.zeros((len(indices), 7), np.float32)
        values[:, 0] = total / 100
        values[:, 2] = np.clip((limit - total) / limit, -1, 1)
        values[:, 3:] = [0.5, 1.0, 0.05, 0.2]
        mean_ms = (values[:, :1] * [500, 250]).astype(np.float32)
        return Outcomes(labels, values, np.ones_like(values, np.int8), 30 + total / 100, mean_ms)

    def adopt(self, where: Indices, others: "ToyEpisodes") -> None:
        self.seeds[where], self.scenarios[where] = others.seeds[where], others.scenarios[where]


class ToySource:
    """Gives events with the verdicts of an episode."""

    def __init__(self, world: "ToyWorld", seed: int, scenario: int) -> None:
        self._episode = world.begin(np.array([seed], np.uint64), np.array([scenario]))

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        index = np.array([SPACE.index(config)])
        label = int(self._episode.outcomes(index, iteration).labels[0])
        return example_event(config, iteration, VERDICTS.get(label, Verdict.INVALID), run_id="", context_hash="")

    def close(self) -> None:
        """Nothing is held."""


class ToyWorld:
    """Two scenarios of one space; in the second, nothing with ``b`` at 15 was recorded."""

    scenarios = ("low", "high")

    def __init__(self, spread_rps: float = 4.0) -> None:
        self.spread_rps = spread_rps
        self.total_rps = np.array([sum(rate for _, rate in config) for config in SPACE])
        self.limits_rps = np.array([22.0, 40.0])
        self._recorded = np.array([[True] * len(SPACE), [("b", 15) not in config for config in SPACE]])

    def space(self, scenario: int) -> ConfigSpace:
        return SPACE

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        return self._recorded[scenarios]

    def begin(self, seeds: Seeds, scenarios: Indices) -> ToyEpisodes:
        return ToyEpisodes(self, seeds.copy(), scenarios.copy())

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:
        labels = np.where(self.total_rps > self.limits_rps[scenario] + self.spread_rps / 2, 1, -1).astype(np.int8)
        labels[~self._recorded[scenario]] = 0
        return labels

    def source(self, seed: int, scenario: int) -> MeasurementSource:
        return ToySource(self, seed, scenario)
