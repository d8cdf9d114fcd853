"""Cutting slices out of an overload map.

Notation: ``N`` configurations in plan order; ``R`` rows and ``C`` columns of a slice.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import Cell, MonotoneMap, cell_codes, cell_of
from peva_env.report.figures.map_slice import NOT_LOADED, MapSlice
from peva_env.report.figures.style import short_name
from peva_env.space import DENSE_LIMIT, Config, ConfigSpace

PAIR = 2
_OUTSIDE_PLAN = -1
_LOOK_UP_LIMIT = 2**16
"""Largest number of cells of a slice of a space beyond ``DENSE_LIMIT``, where each is looked up by itself."""


class MapSlicer:
    """Cuts slices out of a map.

    Args:
        known: the map.
        predicted: (N,), the probability of overload of each configuration, 0..1.
        begun: configurations that were run; those without a verdict are incomplete.

    Raises:
        ConfigError: there are more or fewer predictions than configurations.
    """

    def __init__(
        self, known: MonotoneMap, predicted: NDArray[np.float64] | None = None, begun: Iterable[Config] = ()
    ) -> None:
        self.space = known.space
        self._known = known
        self._cells = None if known.labels is None else cell_codes(known, begun)
        self._quarantined = np.zeros(0 if self._cells is None else self.space.n_configs, np.bool_)
        self._quarantined[[self.space.index(config) for config in known.quarantined()]] = True
        self._predicted = None if predicted is None else np.asarray(predicted, np.float64)
        if self._predicted is not None and self._predicted.shape != (self.space.n_configs,):
            shape = " x ".join(map(str, self._predicted.shape))
            raise ConfigError(
                f"predicted: has {shape} values, must have one for each of {self.space.n_configs:,} configurations"
            )

    def strips(self, functions: Sequence[str] | None) -> MapSlice:
        """Return a slice with a row for each function: its rates when it is loaded alone.

        Raises:
            ConfigError: there are no such functions, or too many rates to draw.
        """
        names = checked_functions(self.space, functions or self.space.functions)
        columns = sorted({rate for name in names for rate in self._rates(name)})
        self._refuse_too_many(len(names), len(columns))
        column_of = {rate: column for column, rate in enumerate(columns)}
        indices = np.full((len(names), len(columns)), _OUTSIDE_PLAN, object)
        for row, name in enumerate(names):
            first, _ = self.space.block([name])
            for level, rate in enumerate(self._rates(name)):
                indices[row, column_of[rate]] = first + level
        column_name = f"{short_name(names[0])} (rps)" if len(names) == 1 else "rate (rps)"
        rows = list(map(short_name, names)) if len(names) > 1 else [""]
        rates = list(map(str, columns))
        return MapSlice(rows, rates, "", column_name, *self._look_up(indices), rows_are_rates=False)

    def slice(self, functions: Sequence[str], at: Config) -> MapSlice:
        """Return the first function's rates across, the second one's upwards, with the others at the given rates.

        Raises:
            ConfigError: the plan has no such configurations, or too many to draw.
        """
        across, upwards = checked_functions(self.space, functions, PAIR)
        indices = self._indices(upwards, across, at)
        present = indices != _OUTSIDE_PLAN
        if not present.any():
            raise ConfigError(
                f"at: the plan has no configuration of {across} and {upwards} with {_load_text(at) or 'no other'}"
            )
        rows, columns = ([NOT_LOADED, *map(str, self._rates(name))] for name in (upwards, across))
        is_of_one_size = self.space.min_functions == self.space.max_functions - 1
        top, left = (int(is_of_one_size and not line.any()) for line in (present[0], present[:, 0]))
        rest = [name for name in self.space.functions if name not in functions]
        names = f"{short_name(upwards)} (rps)", f"{short_name(across)} (rps)"
        cells, predicted, quarantined = self._look_up(indices[top:, left:])
        others = _others_text(rest, dict(at))
        return MapSlice(rows[top:], columns[left:], *names, cells, predicted, quarantined, others)

    def _rates(self, name: str) -> tuple[int, ...]:
        return self.space.rates_rps[self.space.functions.index(name)]

    def _refuse_too_many(self, n_rows: int, n_columns: int) -> None:
        limit = _LOOK_UP_LIMIT if self._cells is None else DENSE_LIMIT
        if n_rows * n_columns > limit:
            raise ConfigError(f"a map of {n_rows:,} x {n_columns:,} cells is too large to draw; the limit is {limit:,}")

    def _indices(self, upwards: str, across: str, at: Config) -> NDArray[np.object_]:
        """Return the index of each cell's configuration, (R, C), exact for spaces of any size."""
        rates = {name: self._rates(name) for name in (upwards, across)}
        shape = len(rates[upwards]) + 1, len(rates[across]) + 1
        self._refuse_too_many(*shape)
        indices = np.full(shape, _OUTSIDE_PLAN, object)
        for loaded in ((), (upwards,), (across,), (upwards, across)):
            names = sorted([*loaded, *dict(at)])
            if not self.space.min_functions <= len(names) < self.space.max_functions:
                continue
            offset, block = self.space.block(names)
            steps = _steps(names, block)
            first = offset + sum(steps[name] * self._rates(name).index(rate) for name, rate in at)
            rows, columns = (
                steps[name] * np.arange(len(rates[name])).astype(object) if name in loaded else np.array([0], object)
                for name in (upwards, across)
            )
            place = tuple(slice(1, None) if name in loaded else slice(0, 1) for name in (upwards, across))
            indices[place] = first + rows[:, None] + columns[None, :]
        return indices

    def _look_up(
        self, indices: NDArray[np.object_]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the cells, the predictions and the quarantined configurations, each (R, C)."""
        cells, predicted = np.full(indices.shape, Cell.ABSENT, np.uint8), np.full(indices.shape, np.nan)
        quarantined = np.zeros(indices.shape, np.bool_)
        present = indices != _OUTSIDE_PLAN
        if self._cells is not None:
            cells[present] = self._cells[indices[present].astype(np.int64)]
            quarantined[present] = self._quarantined[indices[present].astype(np.int64)]
        else:
            cells[present] = [cell_of(self._known, self.space.config(index)) for index in indices[present]]
        if self._predicted is not None:
            unknown = cells == Cell.UNKNOWN
            predicted[unknown] = self._predicted[indices[unknown].astype(np.int64)]
        return cells, predicted, quarantined


def checked_functions(space: ConfigSpace, functions: Sequence[str], n: int | None = None) -> list[str]:
    """Return names of functions after checking them: all in the space, each once, and ``n`` of them.

    Raises:
        ConfigError: a name is unknown or repeated, or the number is wrong.
    """
    for name in functions:
        if name not in space.functions:
            raise ConfigError(f"functions: {name!r} is not one of {', '.join(space.functions)}")
    if len(set(functions)) != len(functions) or (n is not None and len(functions) != n):
        wanted = "different ones" if n is None else f"{n} different ones"
        raise ConfigError(f"functions: must be {wanted}, not {', '.join(functions)}")
    return list(functions)


def _load_text(config: Config) -> str:
    return ", ".join(f"{name} at {rate_rps} rps" for name, rate_rps in config)


def _others_text(names: Sequence[str], rates_rps: Mapping[str, int]) -> str:
    """State the rates of loaded functions; several functions without load are summed up as ``others``."""
    loaded = [(short_name(name), rates_rps[name]) for name in names if name in rates_rps]
    idle = [short_name(name) for name in names if name not in rates_rps]
    rest = [f"{idle[0] if len(idle) == 1 else 'others'} not loaded"] if idle else []
    return ", ".join(filter(None, [_load_text(loaded), *rest]))


def _steps(names: Sequence[str], block: Sequence[int]) -> dict[str, int]:
    """Return by how much the index grows from one rate of each function to its next, in a block of the plan."""
    return {name: prod(block[place + 1 :]) for place, name in enumerate(names)}
