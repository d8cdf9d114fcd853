"""The space of configurations: lazy, ordered, addressable by index.

Notation: ``F`` functions in sorted order, function ``i`` with ``n_i`` rates; ``k`` functions in a configuration;
``tail[i][k]`` = the number of configurations that take exactly ``k`` functions out of ``i, i+1, ... F-1``, which is the
elementary symmetric polynomial ``e_k(n_i, ..., n_{F-1})``.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, combinations, product
from operator import index as as_index
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

type Config = list[tuple[str, int]]
"""Pairs of function name and rate in requests per second, sorted by name."""

type ConfigKey = tuple[tuple[str, ...], tuple[int, ...]]
"""The hashable form of a configuration: names, rates."""

type Dominance = Literal["one_sided", "two_sided", "within_sets"]
"""Names of the rules by which verdicts are inferred from measured verdicts: see ``peva_env.inference.grid``."""

MAX_RATE_RPS = 2**31 - 1
"""Highest rate that the memory and the int32 arrays of rates can hold."""


def config_key(config: Iterable[tuple[str, int]]) -> ConfigKey:
    """Return ``(names, rates)``, sorted by function name."""
    pairs = sorted(config)
    return tuple(name for name, _ in pairs), tuple(rate for _, rate in pairs)


def config_pairs(key: ConfigKey) -> Config:
    """Return the configuration of a key: the inverse of ``config_key``."""
    return list(zip(*key, strict=True))


def config_id(config: Iterable[tuple[str, int]]) -> str:
    """Return the first 12 hex digits of the sha256 of ``"a:10|b:20"``; ids agree with PEVA-FAAS recordings."""
    text = "|".join(f"{name}:{rate}" for name, rate in sorted(config))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dominates(base: Iterable[tuple[str, int]], candidate: Iterable[tuple[str, int]]) -> bool:
    """Tell whether ``candidate`` has the functions of ``base``, no lower rate, and at least one higher rate."""
    base_names, base_rates = config_key(base)
    names, rates = config_key(candidate)
    return names == base_names and rates != base_rates and no_lower(rates, base_rates)


def no_lower(rates: Iterable[int], base: Iterable[int]) -> bool:
    """Tell whether no rate is lower than the rate at the same position of ``base``."""
    return all(rate >= least for rate, least in zip(rates, base, strict=True))


def config_text(config: Iterable[tuple[str, int]], *, unit: str = " rps", show_name: Callable[[str], str] = str) -> str:
    """Return a configuration in words, such as ``"figlet 40 rps + env 20 rps"``."""
    return " + ".join(f"{show_name(name)} {rate}{unit}" for name, rate in config)


DENSE_LIMIT = 2**20
"""Largest number of configurations whose labels are held in an array."""


class ConfigSpace(Sequence[Config]):
    """All configurations of ``min_functions`` to ``max_functions - 1`` functions, computed when accessed.

    Plan order: by number of functions, then functions lexicographically, then rates. Index to configuration and back
    cost O(F) additions and multiplications, and the memory is O(F^2) numbers, whatever the number of configurations.
    A space never changes: a campaign, its policy and its reports share one.

    Args:
        rates_rps: rates of each function in requests per second; duplicates and order are ignored.
        min_functions: the smallest number of functions in a configuration, at least 1.
        max_functions: **exclusive** upper bound of that number, as in PEVA-FAAS.
        dense_limit: the largest number of configurations of a *dense* space, whose labels are held in an array.

    Raises:
        ValueError: there is no function, a function has no rate, a rate is negative or above ``MAX_RATE_RPS``, or no
            configuration lies within the bounds.
    """

    def __init__(
        self,
        rates_rps: Mapping[str, Iterable[int]],
        *,
        min_functions: int = 1,
        max_functions: int = 2,
        dense_limit: int = DENSE_LIMIT,
    ) -> None:
        self.functions: tuple[str, ...] = tuple(sorted(rates_rps))
        self.rates_rps: tuple[tuple[int, ...], ...] = tuple(
            tuple(sorted({as_index(rate) for rate in rates_rps[name]})) for name in self.functions
        )
        if not self.functions:
            raise ValueError("a configuration space needs at least one function")
        for name, rates in zip(self.functions, self.rates_rps, strict=True):
            if not rates or rates[0] < 0:
                raise ValueError(f"function {name!r} needs at least one rate, none of them negative; got {list(rates)}")
            if rates[-1] > MAX_RATE_RPS:
                raise ValueError(f"function {name!r}: {rates[-1]} rps is beyond {MAX_RATE_RPS:,}, the highest rate")
        if not 1 <= min_functions < max_functions:
            raise ValueError(
                f"min_functions must be at least 1 and below max_functions; got {min_functions} and {max_functions}"
            )
        if min_functions > len(self.functions):
            raise ValueError(f"min_functions is {min_functions}, but there are only {len(self.functions)} functions")
        self.min_functions = min_functions
        self.max_functions = min(max_functions, len(self.functions) + 1)
        self._level = tuple({rate: level for level, rate in enumerate(rates)} for rates in self.rates_rps)
        self._position = {name: i for i, name in enumerate(self.functions)}
        self._tail = self._count_tails()
        sizes = range(self.min_functions, self.max_functions)
        self._size_offsets = dict(zip(sizes, accumulate((self._tail[0][k] for k in sizes), initial=0), strict=False))
        self.n_configs: int = sum(self._tail[0][k] for k in sizes)
        self.is_dense: bool = self.n_configs <= dense_limit
        self._is_complete = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_is_complete" in self.__dict__:
            raise AttributeError(f"{name} of a configuration space cannot be changed; make another ConfigSpace")
        super().__setattr__(name, value)

    def _count_tails(self) -> list[list[int]]:
        tails = [[1] + [0] * self.max_functions]
        for rates in reversed(self.rates_rps):
            after = tails[-1]
            tails.append([1] + [after[k] + len(rates) * after[k - 1] for k in range(1, self.max_functions + 1)])
        return tails[::-1]

    def __len__(self) -> int:
        """Return the number of configurations; use ``n_configs`` where it can exceed ``sys.maxsize``."""
        return self.n_configs

    def __bool__(self) -> bool:
        return True

    @overload
    def __getitem__(self, index: int) -> Config: ...
    @overload
    def __getitem__(self, index: slice) -> list[Config]: ...
    def __getitem__(self, index: int | slice) -> Config | list[Config]:
        if isinstance(index, slice):
            return [self.config(i) for i in range(*index.indices(self.n_configs))]
        return self.config(index if index >= 0 else index + self.n_configs)

    def __iter__(self) -> Iterator[Config]:
        for names in self.function_sets():
            rates = (self.rates_rps[self._position[name]] for name in names)
            for choice in product(*rates):
                yield list(zip(names, choice, strict=True))

    def __contains__(self, config: object) -> bool:
        try:
            self.index(config)
        except ValueError:
            return False
        return True

    def function_sets(self) -> Iterator[tuple[str, ...]]:
        """Yield the sets of functions in plan order."""
        for size in range(self.min_functions, self.max_functions):
            yield from combinations(self.functions, size)

    def block(self, names: Sequence[str]) -> tuple[int, tuple[int, ...]]:
        """Return the index of the first configuration with exactly these functions, and the shape of their grid.

        A block is contiguous and in C order, so ``labels[offset : offset + prod(shape)].reshape(shape)`` is its grid.
        """
        positions = [self._position[name] for name in names]
        shape = tuple(len(self.rates_rps[i]) for i in positions)
        return self._rank(positions, [0] * len(positions)), shape

    def config(self, index: int) -> Config:
        """Return the configuration at ``index`` of the plan.

        Raises:
            IndexError: ``index`` is not in ``0 .. n_configs - 1``.
        """
        rank = as_index(index)
        if not 0 <= rank < self.n_configs:
            raise IndexError(f"configuration index {rank} is outside 0..{self.n_configs - 1}")
        size = self.min_functions
        while rank >= self._tail[0][size]:
            rank -= self._tail[0][size]
            size += 1
        positions: list[int] = []
        weight = 1
        for i, rates in enumerate(self.rates_rps):
            missing = size - len(positions)
            if not missing:
                break
            with_function_i = weight * len(rates) * self._tail[i + 1][missing - 1]
            if rank < with_function_i:
                positions.append(i)
                weight *= len(rates)
            else:
                rank -= with_function_i
        levels: list[int] = []
        for i in reversed(positions):
            rank, level = divmod(rank, len(self.rates_rps[i]))
            levels.append(level)
        return [
            (self.functions[i], self.rates_rps[i][level]) for i, level in zip(positions, reversed(levels), strict=True)
        ]

    def index(self, config: object, start: int = 0, stop: int | None = None) -> int:
        """Return the index of a configuration in plan order.

        Raises:
            ValueError: the configuration is not in the space; the message names the first thing that does not fit.
        """
        rank = self._rank(*self._locate(config))
        if rank < start or (stop is not None and rank >= stop):
            raise ValueError(f"{config!r} is at index {rank}, outside {start}..{stop}")
        return rank

    def rates_of(self, configs: Iterable[Iterable[tuple[str, int]]]) -> NDArray[np.int32]:
        """Return the rates of configurations, (k, F) in requests per second; 0 where a function is absent."""
        rows = [[rates_rps.get(name, 0) for name in self.functions] for rates_rps in map(dict, configs)]
        return np.array(rows, np.int32).reshape(len(rows), len(self.functions))

    def levels(self, config: Iterable[tuple[str, int]]) -> list[int]:
        """Return one rate level per function of the space: 0 = absent, ``j`` = the ``j``-th lowest rate."""
        levels = [0] * len(self.functions)
        for position, level in zip(*self._locate(config), strict=True):
            levels[position] = level + 1
        return levels

    def neighbours(self, config: Iterable[tuple[str, int]]) -> list[Config]:
        """Return the configurations with the same functions, one of them at its next lower or next higher rate."""
        pairs, found = sorted(config), []
        for place, (position, level) in enumerate(zip(*self._locate(config), strict=True)):
            rates = self.rates_rps[position]
            for near in rates[max(0, level - 1) : level] + rates[level + 1 : level + 2]:
                found.append([*pairs[:place], (self.functions[position], near), *pairs[place + 1 :]])
        return found

    def from_levels(self, levels: Iterable[int]) -> Config:
        """Return the configuration of one level per function (inverse of ``levels``); it may be outside the plan."""
        return [
            (name, rates[level - 1])
            for name, rates, level in zip(self.functions, self.rates_rps, levels, strict=True)
            if level
        ]

    def _locate(self, config: object) -> tuple[list[int], list[int]]:
        if not isinstance(config, Iterable):
            raise ValueError(f"a configuration is a list of (function, rate) pairs, not {config!r}")
        names, rates = config_key(config)
        if not self.min_functions <= len(names) < self.max_functions or len(set(names)) < len(names):
            raise ValueError(
                f"{config!r} must name {self.min_functions} to {self.max_functions - 1} different functions"
            )
        positions, levels = [], []
        for name, rate in zip(names, rates, strict=True):
            if name not in self._position:
                raise ValueError(f"{name!r} is not a function of this space ({', '.join(self.functions)})")
            position = self._position[name]
            if rate not in self._level[position]:
                raise ValueError(f"{rate} rps is not a rate of {name!r} ({list(self.rates_rps[position])})")
            positions.append(position)
            levels.append(self._level[position][rate])
        return positions, levels

    def _rank(self, positions: Sequence[int], levels: Sequence[int]) -> int:
        rank = self._size_offsets[len(positions)]
        weight = 1
        next_position = 0
        for taken, position in enumerate(positions):
            missing = len(positions) - taken
            for i in range(next_position, position):
                rank += weight * len(self.rates_rps[i]) * self._tail[i + 1][missing - 1]
            weight *= len(self.rates_rps[position])
            next_position = position + 1
        within = 0
        for position, level in zip(positions, levels, strict=True):
            within = within * len(self.rates_rps[position]) + level
        return rank + within

    def __repr__(self) -> str:
        grid = ", ".join(f"{name}: {len(rates)}" for name, rates in zip(self.functions, self.rates_rps, strict=True))
        return f"ConfigSpace({self.n_configs} configurations of {{{grid}}})"
