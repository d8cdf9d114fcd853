"""A lazy sequence of configurations to choose from: a configuration is built when it is accessed."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from peva_env.space import Config, ConfigSpace


class Candidates(Sequence[Config]):
    """Some configurations of a space: a simple policy reads the configurations, a fast policy their ``indices``.

    ``indices`` (k,) are distinct indices of the plan, in the order of the candidates, and read-only. Their type is
    int64, or Python's int in a space with more configurations than int64 can number.
    """

    def __init__(self, space: ConfigSpace, indices: Sequence[int] | NDArray[np.int64]) -> None:
        self.space = space
        # NumPy would round indices beyond int64 to floats, which are other indices.
        kind = np.int64 if space.n_configs <= np.iinfo(np.int64).max else np.object_
        given: NDArray[np.int64] = np.asarray(indices, kind)
        self.indices = given.view()
        self.indices.flags.writeable = False

    @classmethod
    def of(cls, space: ConfigSpace, configs: Sequence[Config]) -> "Candidates":
        """Return configurations as candidates; candidates of the same space are returned unchanged.

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
        """Return the number of candidates."""
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
