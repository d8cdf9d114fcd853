"""The seeds of an environment's episodes; a seed decides all random draws of an offline episode.

``reset(seed=...)`` draws a first episode seed from the environment's own generator. The seed of each episode is a hash
of the first seed and of the episode's number. So thousands of environments need no random generator each.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.sources import hashed


def first_seed(rng: np.random.Generator) -> int:
    """Draw the first episode seed (64 bits) from a newly seeded generator."""
    return int(rng.integers(0, 2**64, dtype=np.uint64))


def episode_seeds(firsts: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the seeds of episodes (n,) from the first seeds of their environments and from their numbers, 0, 1, ..."""
    return hashed(firsts, numbers)


class EpisodeSeeds:
    """The episode seeds of one environment, one after the other."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._number = 0

    def next(self, rng: np.random.Generator, *, begin: bool) -> int:
        """Return the seed of the next episode; ``begin`` starts a new sequence, after seeding."""
        if begin or self._first is None:
            self._first, self._number = first_seed(rng), 0
        else:
            self._number += 1
        return int(episode_seeds(np.array([self._first], np.uint64), np.array([self._number]))[0])
