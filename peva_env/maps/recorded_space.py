"""The space of a recorded campaign: a memory holds no plan, only the configurations that were run or inferred.

A campaign that refines a map holds the grid of that map. Of its finer rates only the recorded configurations count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.inference import RateGrid
from peva_env.memory import REFINED, parsed_context
from peva_env.space import Config, ConfigKey, ConfigSpace, config_pairs

_OF_CAMPAIGNS = "FROM execution_events WHERE context_hash = ? AND repetition = ? AND kind <> 'scouted'"


@dataclass(frozen=True, slots=True)
class RecordedRates:
    """Rates of each function and sets of functions that occur in the events of a context and repetition.

    ``set_sizes`` says how many configurations of each set of functions were measured. If the map was refined,
    ``grid_rps`` are the rates of the plan, and ``finer`` the configurations that the refinement recorded.
    """

    rates_rps: Mapping[str, frozenset[int]]
    measured_rates_rps: Mapping[str, frozenset[int]]
    set_sizes: Mapping[tuple[str, ...], int]
    grid_rps: Mapping[str, frozenset[int]] | None = None
    finer: frozenset[ConfigKey] = frozenset()

    def of(self, functions: Iterable[str]) -> "RecordedRates":
        """Return only the rates and sets of some functions."""
        kept = frozenset(functions)
        return RecordedRates(
            {name: rates for name, rates in self.rates_rps.items() if name in kept},
            {name: rates for name, rates in self.measured_rates_rps.items() if name in kept},
            {names: n for names, n in self.set_sizes.items() if kept.issuperset(names)},
            self.grid_rps,
            self.finer,
        )

    def of_plan(self) -> "RecordedRates":
        """Return only the rates of the plan, without those of a refinement."""
        grid = self.grid_rps
        if grid is None:
            return self
        rates, measured = (
            {name: own & grid.get(name, frozenset()) for name, own in rates_rps.items()}
            for rates_rps in (self.rates_rps, self.measured_rates_rps)
        )
        return RecordedRates(rates, measured, self.set_sizes)

    def loaded(self, config: Config) -> Config:
        """Return a configuration without its functions at rate 0, unless campaigns recorded them at rate 0."""
        return [(name, rate) for name, rate in config if rate or 0 in self.rates_rps.get(name, ())] or config

    def counts_in(self, space: ConfigSpace) -> NDArray[np.bool_]:
        """Return which configurations of a space have a recorded set of functions and were in the plan, (N,)."""
        counted = np.zeros(space.n_configs, np.bool_)
        for names in self.set_sizes.keys() & set(space.function_sets()):
            offset, shape = space.block(names)
            counted[offset : offset + int(np.prod(shape))] = True
        if self.grid_rps is not None:
            for name, own in zip(space.functions, RateGrid(space).rates_rps, strict=True):
                counted &= np.isin(own, [0, *self.grid_rps.get(name, ())])  # 0: the function is absent
            finer = (config_pairs(key) for key in self.finer)
            counted[[space.index(config) for config in finer if config in space]] = True
        return counted


def read_recorded(connection: duckdb.DuckDBPyConnection, context_hash: str, repetition: int) -> RecordedRates:
    """Return the rates and sets of functions in the events of a context and repetition."""
    parameters = [context_hash, repetition]
    pairs = connection.execute(
        "SELECT name, rate, bool_or(measured) FROM (SELECT unnest(function_names) AS name, unnest(rates_rps) AS rate, "  # noqa: S608
        f"kind = 'measured' AS measured {_OF_CAMPAIGNS}) GROUP BY ALL",
        parameters,
    ).fetchall()
    sets = connection.execute(
        f"SELECT function_names, count(DISTINCT config_id) FILTER (kind = 'measured') {_OF_CAMPAIGNS} GROUP BY ALL",
        parameters,
    ).fetchall()
    names = sorted({name for name, _, _ in pairs})
    grid_rps, finer = _refined(connection, parameters)
    return RecordedRates(
        {name: frozenset(rate for other, rate, _ in pairs if other == name) for name in names},
        {name: frozenset(rate for other, rate, measured in pairs if other == name and measured) for name in names},
        {tuple(functions): int(n) for functions, n in sets},
        grid_rps,
        finer,
    )


def _refined(
    connection: duckdb.DuckDBPyConnection, parameters: list[Any]
) -> tuple[dict[str, frozenset[int]] | None, frozenset[ConfigKey]]:
    """Return the rates of the plan and the configurations that refinements recorded; None and none without one."""
    sessions = connection.execute(
        f"SELECT run_id, context_json FROM run_sessions WHERE context_json LIKE '%\"{REFINED}\"%' "  # noqa: S608
        "AND context_hash = ? AND repetition = ?",
        parameters,
    ).fetchall()
    grids = {run_id: grid for run_id, text in sessions if isinstance(grid := parsed_context(text).get(REFINED), dict)}
    if not grids:
        return None, frozenset()
    rows = connection.execute(
        f"SELECT DISTINCT function_names, rates_rps, list_contains(?, run_id) {_OF_CAMPAIGNS}",
        [list(grids), *parameters],
    ).fetchall()
    rates: dict[str, set[int]] = {}
    for name, rate in (pair for names, own, is_finer in rows if not is_finer for pair in zip(names, own, strict=True)):
        rates.setdefault(name, set()).add(rate)
    for name, own in (pair for grid in grids.values() for pair in grid.items()):
        rates.setdefault(name, set()).update(rate for rate in own if isinstance(rate, int))
    finer = frozenset((tuple(names), tuple(own)) for names, own, is_finer in rows if is_finer)
    return {name: frozenset(own) for name, own in rates.items()}, finer


def recorded_space(recorded: RecordedRates, configs: Sequence[Config] = ()) -> tuple[ConfigSpace, list[str]]:
    """Return the space of the recorded rates and of some further configurations, and notes on what was left out.

    A space that is too large to list is reduced: first to the measured rates, then to the set of functions with most
    measured configurations. With further configurations it may stay too large: their verdicts can be proved all the
    same.

    Raises:
        ConfigError: it is still too large, and there are no further configurations.
        MemoryStoreError: it has rates that no memory writes.
    """
    whole = _space(recorded.rates_rps, recorded, configs)
    if whole.is_dense:
        return whole, []
    problem = f"the recorded rates span {whole.n_configs:,} configurations, too many to list"
    if not any(recorded.set_sizes.values()):
        raise ConfigError(f"{problem}, and none was measured")
    space = _space(recorded.measured_rates_rps, recorded, configs)
    if space.is_dense:
        return space, [f"{problem}: this is the map of the {space.n_configs:,} at measured rates"]
    if configs:
        return space, []
    largest = max(recorded.set_sizes, key=lambda names: recorded.set_sizes[names])
    kept = recorded.of(largest)
    space = _space(kept.measured_rates_rps, kept, configs)
    if not space.is_dense:
        raise ConfigError(f"{problem}, and so are those of {' + '.join(largest)}; name fewer functions")
    return space, [f"{problem}: this is the map of {' + '.join(space.functions)} alone; other functions can be named"]


def _space(rates_rps: Mapping[str, Iterable[int]], recorded: RecordedRates, configs: Sequence[Config]) -> ConfigSpace:
    rates = {name: set(some) for name, some in rates_rps.items() if some}
    for name, rate in (pair for config in configs for pair in config):
        rates.setdefault(name, set()).add(rate)
    sizes = [*map(len, recorded.set_sizes), *map(len, configs)]
    try:
        return ConfigSpace(rates, min_functions=min(sizes), max_functions=max(sizes) + 1)
    except ValueError as error:
        raise MemoryStoreError(f"the recorded rates are not a space of configurations: {error}") from error
