"""The episodes of environments side by side: those that run, and the next one of each, begun ahead.

Notation: ``n`` environments. An environment's next episode hangs on its seed and on how many it has begun since, so
that it may be begun at any time. Beginning one for all environments costs hardly more than beginning one for a few.
"""

from collections.abc import Sequence

import numpy as np
from gymnasium.utils.seeding import np_random

from peva_env.campaign.episode_seeds import episode_seeds, first_seed
from peva_env.campaign.offline import drawn_scenarios
from peva_env.sources import Episodes, Indices, World


class PrefetchedEpisodes:
    """``current`` are the episodes that run, ``scenarios`` (n,) theirs."""

    def __init__(self, world: World, n: int) -> None:
        self.current: Episodes
        self.scenarios = np.zeros(n, np.int64)
        self._world = world
        self._firsts = np.zeros(n, np.uint64)  # the seeds from which those of all episodes come
        self._is_seeded = False
        self._numbers = np.zeros(n, np.int64)  # of the next episode, from 0 since seeding
        self._next: Episodes
        self._next_scenarios = self.scenarios
        self._is_ready = np.zeros(n, np.bool_)  # whether the next one is what ``_next`` has

    def seed(self, seeds: Sequence[int | None], where: Indices) -> None:
        """Draw the first episode seed of each environment that is given a seed, and of all that never had one."""
        drawn = [i for i in where if not self._is_seeded or seeds[i] is not None]
        firsts = [first_seed(np_random(seeds[i])[0]) for i in drawn]  # all, before any is put in place
        self._is_seeded = True
        self._firsts[drawn] = np.array(firsts, np.uint64)
        self._numbers[drawn] = 0
        self._is_ready[drawn] = False

    def begin(self, where: Indices, scenario: int | None = None) -> None:
        """Begin the next episodes of some environments, of a scenario, or of the one that each draws."""
        if scenario is not None or not self._is_ready[where].all():
            self._prepare(where, scenario)
        if len(where) == len(self._numbers):
            self.current, self.scenarios = self._next, self._next_scenarios
        else:
            self.current.adopt(where, self._next)
            self.scenarios[where] = self._next_scenarios[where]
        self._numbers[where] += 1
        self._is_ready[where] = False

    def _prepare(self, where: Indices, scenario: int | None) -> None:
        """Begin the next episodes of all environments; those that are ready come out as they were."""
        seeds = episode_seeds(self._firsts, self._numbers)
        scenarios = drawn_scenarios(seeds, len(self._world.scenarios))
        if scenario is not None:
            scenarios[where] = scenario
        self._next, self._next_scenarios = self._world.begin(seeds, scenarios), scenarios
        self._is_ready[:] = True
