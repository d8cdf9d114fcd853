"""Configurations to choose from, made only where somebody looks at one."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from peva_env.space import Config, ConfigSpace


class Candidates(Sequence[Config]):
    """Some configurations of a space: a simple policy takes the configurations, a fast one their ``indices``.

    ``indices`` (k,) are places in the plan, each once, in the order in which they are offered. They are int64, or
    Python's numbers in a space with more configurations than that can count.
    """

    def __init__(self, space: ConfigSpace, indices: Sequence[int] | NDArray[np.int64]) -> None:
        self.space = space
        # More than an int64 can count would become floats, and so others.
        kind = np.int64 if space.n_configs <= np.iinfo(np.int64).max else np.object_
        self.indices: NDArray[np.int64] = np.asarray(indices, kind)

    @classmethod
    def of(cls, space: ConfigSpace, configs: Sequence[Config]) -> "Candidates":
        """Return configurations as candidates, as they are if that is what they are.

        Raises:
            ValueError: one of them is not in the space.
        """
        if isinstance(configs, cls) and configs.space is space:
            return configs
        return cls(space, [space.index(config) for config in configs])

    def take(self, positions: ArrayLike) -> "Candidates":
        """Return the candidates at these positions, in their order."""
        return Candidates(self.space, self.indices[np.asarray(positions, np.int64)])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.indices)

    @overload
    def __getitem__(self, position: int) -> Config: ...
    @overload
    def __getitem__(self, position: slice) -> "Candidates": ...
    def __getitem__(self, position: int | slice) -> "Config | Candidates":
        if isinstance(position, slice):
            return Candidates(self.space, self.indices[position])
        return self.space.config(int(self.indices[position]))

    def __iter__(self) -> Iterator[Config]:
        return (self.space.config(int(index)) for index in self.indices)

    def __contains__(self, config: object) -> bool:
        return config in self.space and bool((self.indices == self.space.index(config)).any())

    def __repr__(self) -> str:
        return f"Candidates({len(self)} of {self.space!r})"
