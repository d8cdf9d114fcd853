"""Refining a complete map: finer rates along its frontier, until each limit is known to within a share of it.

The *grid* is the space of the plan. A *limit* belongs to a maximal OK configuration of the grid, within its set of
functions, and to one of its functions that has a higher level: it is the rate up to which this function may rise while
the others keep their rates. Since the map is complete, the configuration with this function one level higher is
overloaded, so the limit lies between two levels. It is *known* when the lowest overloaded rate is at most a share above
the highest OK one, or at most 1 request/s.

The finer rates between two levels are the same for every limit between them. So a configuration that one limit needs
often follows from one that another limit has measured.

Notation: ``N`` configurations of the finer space in plan order.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, MonotoneMap, RateGrid
from peva_env.space import Config, ConfigSpace

REFINING_AGENT = "bisection"
"""Of the finer rates of a limit it measures the middle one."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as far as a map knows it.

    Attributes:
        config: the maximal OK configuration of the grid.
        function: whose limit it is, while the other functions keep their rates.
        ok_rps: the highest rate known to be OK.
        overloaded_rps: the lowest rate known to be overloaded.
        is_known: whether no finer rate lies between the two.
    """

    config: Config
    function: str
    ok_rps: int
    overloaded_rps: int
    is_known: bool


class Refinement:
    """The plan of a refinement: the grid, and finer rates between its levels.

    Args:
        grid: the configurations of the plan.
        share: how exactly each limit is to be known, as a share of it, above 0.

    Raises:
        ConfigError: the finer rates make a space without an array of labels.
    """

    def __init__(self, grid: ConfigSpace, share: float) -> None:
        self.grid, self.share = grid, share
        levels = zip(grid.functions, grid.rates_rps, strict=True)
        self.rates_rps = {name: finer_rates(rates, share) for name, rates in levels}
        self.space = ConfigSpace(self.rates_rps, min_functions=grid.min_functions, max_functions=grid.max_functions)
        if not self.space.is_dense:
            raise ConfigError(
                f"refine = {100 * share:g}%: finer rates make {self.space.n_configs:,} configurations: "
                "give a higher percentage, fewer levels, or load fewer functions at once"
            )
        self._rates = RateGrid(self.space)
        self.of_grid = _has_levels(self._rates, grid)  # (N,): which configurations belong to the grid

    def counted_at_first(self, history: Iterable[ExecutionEvent]) -> NDArray[np.bool_]:
        """Return the configurations of the grid, and those that earlier events have measured, (N,)."""
        cells = self.of_grid.copy()
        for event in history:
            if event.is_valid and event.config_pairs in self.space:
                cells[self.space.index(event.config_pairs)] = True
        return cells

    def cells(self, known: MonotoneMap) -> NDArray[np.bool_]:
        """Return the configurations of the grid, and those on the way of each limit of a complete map, (N,)."""
        cells = self.of_grid.copy()
        for config, function, high in self._open_upwards(known):
            cells[self._line(config, function, high)[1]] = True
        return cells

    def limits(self, known: MonotoneMap) -> list[Limit]:
        """Return the limits of a map, by sets of functions in plan order; none before its grid is complete."""
        found: list[Limit] = []
        if not self.is_grid_complete(known):
            return found
        for config, function, high in self._open_upwards(known):
            rates, line = self._line(config, function, high)
            labels = _labels(known)[line]
            first = int(np.argmax(labels == OVERLOADED_LABEL))  # the level above is overloaded, so there is one
            last = int(np.flatnonzero(labels[:first] == OK_LABEL)[-1])  # the configuration itself is OK
            found.append(Limit(config, function, rates[last], rates[first], first == last + 1))
        return found

    def is_grid_complete(self, known: MonotoneMap) -> bool:
        """Return whether each configuration of the grid is known."""
        return bool((_labels(known)[self.of_grid] != UNKNOWN_LABEL).all())

    def _open_upwards(self, known: MonotoneMap) -> Iterator[tuple[Config, str, int]]:
        """Yield each maximal OK configuration of the grid with a function, and the next level of this function."""
        ok = np.flatnonzero(self.of_grid & (_labels(known) == OK_LABEL))
        for index in self._rates.extremes(ok, OK_LABEL, "within_sets"):
            config = self.space.config(int(index))
            for function, rate in config:
                levels = self.grid.rates_rps[self.grid.functions.index(function)]
                if rate < levels[-1]:
                    yield config, function, levels[levels.index(rate) + 1]

    def _line(self, config: Config, function: str, high: int) -> tuple[list[int], NDArray[np.int64]]:
        """Return the rates of a function from its own up to ``high``, and the indices of these configurations."""
        low = dict(config)[function]
        rates = [rate for rate in self.rates_rps[function] if low <= rate <= high]
        configs = ([(name, rate if name == function else own) for name, own in config] for rate in rates)
        return rates, np.array([self.space.index(one) for one in configs], np.int64)


def finer_rates(levels: Sequence[int], share: float) -> list[int]:
    """Return levels, ascending, and rates between them such that each is at most ``share``, or 1, above the last."""
    rates = {*levels}
    for low, high in pairwise(levels):
        rate = low
        while (rate := max(rate + 1, math.floor(rate * (1 + share) + 1e-9))) < high:
            rates.add(rate)
    return sorted(rates)


def _has_levels(rates: RateGrid, grid: ConfigSpace) -> NDArray[np.bool_]:
    """Return which configurations have only rates of a grid, (N,)."""
    found = np.ones(rates.rates_rps.shape[1], np.bool_)
    for own, levels in zip(rates.rates_rps, grid.rates_rps, strict=True):
        found &= np.isin(own, [0, *levels])  # 0: the function is absent
    return found


def _labels(known: MonotoneMap) -> NDArray[np.int8]:
    assert known.labels is not None  # noqa: S101 - the space is dense
    return known.labels
