"""The words of an environment's episodes: where all chance of an offline episode comes from.

Seeding draws one word from the environment's own generator; the words of the episodes after it are hashes of that word
and their number. So a thousand environments can begin their next episodes at once, without a generator each.
"""

import numpy as np
from numpy.typing import NDArray

from peva_env.sources import hashed


def first_word(rng: np.random.Generator) -> int:
    """Return the word that seeding an environment gives."""
    return int(rng.integers(0, 2**64, dtype=np.uint64))


def episode_words(firsts: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the words of episodes (n,) by their environments' first words and their numbers, from 0 since seeding."""
    return hashed(firsts, numbers)


class EpisodeWords:
    """The words of one environment, one after the other."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._number = 0

    def next(self, rng: np.random.Generator, *, begin: bool) -> int:
        """Return the next episode's word; ``begin`` anew after seeding."""
        if begin or self._first is None:
            self._first, self._number = first_word(rng), 0
        else:
            self._number += 1
        return int(episode_words(np.array([self._first], np.uint64), np.array([self._number]))[0])
