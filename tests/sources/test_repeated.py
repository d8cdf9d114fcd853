"""Several runs at once: the majority decides, one of them stands for all, and all are paid for."""

import gymnasium
import numpy as np
import pytest

from peva_env import datasets
from peva_env.campaign import true_labels
from peva_env.contracts import MeasurementSource
from peva_env.sources.episodes import Outcomes
from peva_env.sources.repeated import RepeatedWorld
from peva_env.sources.replay.world import ReplayWorld
from peva_env.testing import SourceContract
from tests.support.toy_world import SPACE, ToyWorld

WORDS = np.arange(5, dtype=np.uint64)


@pytest.fixture(scope="module")
def recorded() -> ReplayWorld:
    return ReplayWorld(datasets.load("local-node-v1"))


def test_iterations_of_a_recording_are_its_runs_in_turn(recorded: ReplayWorld) -> None:
    episodes = recorded.begin(WORDS, np.zeros(5, np.int64))
    for index in range(recorded.space(0).n_configs):
        runs = [episodes.drawn_runs(np.full(5, index), iteration).tolist() for iteration in range(3)]
        assert all(len(set(own)) == 3 for own in zip(*runs, strict=True))
        assert episodes.drawn_runs(np.full(5, index), 3).tolist() == runs[0]


def test_three_runs_of_what_was_recorded_thrice_say_what_is_true(recorded: ReplayWorld) -> None:
    world = RepeatedWorld(recorded, 3)
    everything = np.arange(world.space(0).n_configs)
    outcomes = world.begin(WORDS[:1], np.zeros(1, np.int64)).outcomes(everything)
    assert outcomes.labels.tolist() == true_labels(world, 0, 0).tolist() == recorded.majority_labels(0).tolist()


def test_the_run_that_stands_for_all_is_the_first_that_agrees_and_costs_all() -> None:
    indices, scenarios = np.arange(len(SPACE)), np.ones(len(SPACE), np.int64)
    seeds = np.full(len(SPACE), 7, np.uint64)
    once = ToyWorld().begin(seeds, scenarios)
    outcomes = RepeatedWorld(ToyWorld(), 3).begin(seeds, scenarios).outcomes(indices)
    runs = [once.outcomes(indices, iteration) for iteration in range(3)]
    for index in indices:
        labels = [int(run.labels[index]) for run in runs]
        assert outcomes.labels[index] == (sum(labels) > 0) - (sum(labels) < 0)
        _same(outcomes, runs[labels.index(outcomes.labels[index])], int(index))
        assert outcomes.cost_s[index] == sum(run.cost_s[index] for run in runs)


def _same(one: Outcomes, other: Outcomes, index: int) -> None:
    assert one.values[index].tolist() == other.values[index].tolist()
    assert one.mask[index].tolist() == other.mask[index].tolist()


@pytest.mark.parametrize("name", ["FaasSim", "FaasReplay"])
def test_an_environment_side_by_side_with_others_measures_the_same(name: str) -> None:
    single = gymnasium.make(f"peva_env:peva/{name}-v1", iterations=3)
    several = gymnasium.make_vec(f"peva_env:peva/{name}-v1", 2, vectorization_mode="vector_entry_point", iterations=3)
    single.reset(seed=4)
    several.reset(seed=4)
    for action in (20, 70, 120):
        _, reward, *_, info = single.step(action)
        _, rewards, *_, infos = several.step(np.array([action, action]))
        assert (rewards[0], infos["cost_s"][0], infos["n_runs"][0]) == (reward, info["cost_s"], 1)


class TestRepeatedSource(SourceContract):
    deterministic = True

    def make(self) -> MeasurementSource:
        return RepeatedWorld(ReplayWorld(datasets.load("local-node-v1")), 3).source(2**63 + 1, 0)

    def configs(self) -> list[list[tuple[str, int]]]:
        return [[("checkout", 20)], [("primes", 165)], [("checkout", 160), ("primes", 165)]]
