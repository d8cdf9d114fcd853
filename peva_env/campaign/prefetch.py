"""The episodes of ``n`` environments side by side: the current ones, and a prefetched next episode of each.

An environment's next episode depends only on its seed and on the number of its earlier episodes, so it can be begun at
any time. A call that begins the next episodes of all environments costs little more than a call for a few of them.
"""

from collections.abc import Sequence

import numpy as np
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray

from peva_env.campaign.episode_seeds import episode_seeds, first_seed
from peva_env.campaign.offline import drawn_scenarios
from peva_env.sources import Episodes, Indices, World


class PrefetchedEpisodes:
    """The current episodes (``current``) with their seeds and scenarios, (n,) each, and the next ones, prefetched.

    Notation: ``N`` configurations.
    """

    def __init__(self, world: World, n: int) -> None:
        self.current: Episodes
        self.scenarios = np.zeros(n, np.int64)
        self.seeds = np.zeros(n, np.uint64)
        self._world = world
        self._truth: dict[int, NDArray[np.int8]] = {}  # by environment, of the current episodes that were asked about
        self._firsts = np.zeros(n, np.uint64)  # first episode seeds, from which all others are hashed
        self._is_seeded = False
        self._numbers = np.zeros(n, np.int64)  # number of the next episode; seeding resets it to 0
        self._next: Episodes
        self._next_scenarios = self.scenarios
        self._next_seeds = self.seeds
        self._is_ready = np.zeros(n, np.bool_)  # whether ``_next`` has this environment's next episode

    def seed(self, seeds: Sequence[int | None], where: Indices) -> None:
        """Draw the first episode seed of each environment at ``where`` with a seed; at the first call, of all there."""
        drawn = [i for i in where if not self._is_seeded or seeds[i] is not None]
        firsts = [first_seed(np_random(seeds[i])[0]) for i in drawn]  # all of them first: a bad seed changes nothing
        self._is_seeded = True
        self._firsts[drawn] = np.array(firsts, np.uint64)
        self._numbers[drawn] = 0
        self._is_ready[drawn] = False

    def begin(self, where: Indices, scenario: int | None = None) -> None:
        """Begin the next episode of environments ``where``, of ``scenario`` or of a scenario drawn by the seed."""
        if scenario is not None or not self._is_ready[where].all():
            self._prepare(where, scenario)
        if len(where) == len(self._numbers):
            self.current, self.scenarios, self.seeds = self._next, self._next_scenarios, self._next_seeds
        else:
            self.current.adopt(where, self._next)
            self.scenarios[where] = self._next_scenarios[where]
            self.seeds[where] = self._next_seeds[where]
        for environment in where if self._truth else ():
            self._truth.pop(int(environment), None)
        self._numbers[where] += 1
        self._is_ready[where] = False

    def truth(self, rows: Indices) -> NDArray[np.int8]:
        """Return the true labels of the current episodes of environments ``rows`` (k,), (k, N)."""
        return np.array([self._truth_of(int(environment)) for environment in rows])

    def _truth_of(self, environment: int) -> NDArray[np.int8]:
        if environment not in self._truth:
            seed, scenario = int(self.seeds[environment]), int(self.scenarios[environment])
            self._truth[environment] = self._world.truth(seed, scenario)
        return self._truth[environment]

    def _prepare(self, where: Indices, scenario: int | None) -> None:
        """Prefetch the next episodes of all environments; a ready episode is computed again, to the same result."""
        seeds = episode_seeds(self._firsts, self._numbers)
        scenarios = drawn_scenarios(seeds, len(self._world.scenarios))
        if scenario is not None:
            scenarios[where] = scenario
        self._next, self._next_scenarios = self._world.begin(seeds, scenarios), scenarios
        self._next_seeds = seeds
        self._is_ready[:] = True
