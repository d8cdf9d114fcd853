"""Episodes begun ahead are those that would have been begun one by one, whoever begins them and when."""

import numpy as np
import pytest

from peva_env.campaign.episode_seeds import EpisodeSeeds
from peva_env.campaign.offline import drawn_scenarios
from peva_env.campaign.prefetch import PrefetchedEpisodes
from tests.support.toy_world import ToyEpisodes, ToyWorld

N = 5
EVERY = np.arange(N)


class CountingWorld(ToyWorld):
    """Counts how often episodes are begun."""

    n_calls = 0

    def begin(self, seeds: np.ndarray, scenarios: np.ndarray) -> ToyEpisodes:
        self.n_calls += 1
        return super().begin(seeds, scenarios)


class OneByOne:
    """The seeds of environments that each draw their own."""

    def __init__(self) -> None:
        self._words = [EpisodeSeeds() for _ in EVERY]
        self._seeds: list[int | None] = [None] * N
        self.current = [0] * N

    def seed(self, seeds: list[int | None]) -> None:
        self._seeds = seeds

    def begin(self, where: np.ndarray) -> None:
        for i in where.tolist():
            seed, self._seeds[i] = self._seeds[i], None
            rng = np.random.Generator(np.random.PCG64(seed))
            self.current[i] = self._words[i].next(rng, begin=seed is not None)


def current_seeds(prefetched: PrefetchedEpisodes) -> list[int]:
    assert isinstance(prefetched.current, ToyEpisodes)
    return [int(seed) for seed in prefetched.current.seeds]


def test_whoever_begins_and_when() -> None:
    prefetched, one_by_one, rng = PrefetchedEpisodes(ToyWorld(), N), OneByOne(), np.random.default_rng(0)
    for step in range(60):
        where = EVERY if step % 20 == 0 else np.flatnonzero(rng.random(N) < 0.4)
        seeds: list[int | None] = [None] * N
        if step % 10 == 0:
            seeds = [step + i if i in where else None for i in range(N)]
        prefetched.seed(seeds, where)
        one_by_one.seed(seeds)
        prefetched.begin(where)
        one_by_one.begin(where)
        assert current_seeds(prefetched) == one_by_one.current
        assert prefetched.scenarios.tolist() == drawn_scenarios(np.array(one_by_one.current, np.uint64), 2).tolist()


def test_a_scenario_that_is_asked_for_is_that_of_those_who_ask_and_once() -> None:
    prefetched, drawn = (PrefetchedEpisodes(ToyWorld(), N) for _ in range(2))
    for each in (prefetched, drawn):
        each.seed(list(range(N)), EVERY)
        each.begin(EVERY)
    for number in (0, 1):
        prefetched.begin(np.array([1, 3]), number)
        drawn.begin(np.array([1, 3]))
        assert prefetched.scenarios[[1, 3]].tolist() == [number, number]
        assert current_seeds(prefetched) == current_seeds(drawn)
    prefetched.begin(EVERY)
    drawn.begin(EVERY)
    assert prefetched.scenarios.tolist() == drawn.scenarios.tolist()


@pytest.mark.parametrize("n_begun", [1, 4])
def test_few_calls_begin_many(n_begun: int) -> None:
    world = CountingWorld()
    prefetched = PrefetchedEpisodes(world, N)
    prefetched.seed([None] * N, EVERY)
    prefetched.begin(EVERY)
    for i in range(n_begun):
        prefetched.begin(np.array([i]))
    assert world.n_calls == 2
