"""The safe region of a map: all loads at or below its highest OK configurations.

A *load* is a rate for each function that is called, in requests/s; all other functions are not called. With
``two_sided`` dominance a load is safe if any OK configuration has no lower rate, for an absent function counts as one
at rate 0. With ``within_sets`` only configurations of the called functions count, since OK for ``a + b`` says nothing
of ``a`` alone. Where no campaign loads just these functions, but one loads them with others at rate 0, those
configurations count.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.space import Config


@dataclass(frozen=True)
class SafeRegion:
    """The highest OK and the lowest overloaded configurations of a map, all of them measured and uncontradicted.

    Raises:
        ConfigError: nothing is inferred from OK configurations of this map, or its space is too large to list.
    """

    known: MonotoneMap

    def __post_init__(self) -> None:
        if self.known.dominance == "one_sided":
            raise ConfigError(
                "limits: one_sided dominance infers nothing from OK configurations; use within_sets or two_sided"
            )
        if self.known.labels is None:
            n_configs = self.known.space.n_configs
            raise ConfigError(f"limits: {n_configs:,} configurations are too many; name fewer functions")

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of the map."""
        return self.known.space.functions

    @property
    def ok(self) -> list[Config]:
        """The highest OK configurations."""
        return self._frontier[1]

    @property
    def overloaded(self) -> list[Config]:
        """The lowest overloaded configurations."""
        return self._frontier[0]

    def ok_for(self, called: Collection[str]) -> list[Config]:
        """Return the highest OK configurations that tell of loads of exactly these functions."""
        return [config for config in self.ok if self._tells_of(config, called)]

    def overloaded_for(self, called: Collection[str]) -> list[Config]:
        """Return the lowest overloaded configurations that tell of loads of exactly these functions."""
        telling = (config for config in self.overloaded if self._tells_of(config, called))
        return [config for config in telling if all(name in called or not rate for name, rate in config)]

    @cached_property
    def _frontier(self) -> tuple[list[Config], list[Config]]:
        return self.known.frontier()

    @cached_property
    def _counted_sets(self) -> list[frozenset[str]]:
        """The sets of functions that campaigns load, small ones first."""
        space, counted = self.known.space, self.known.recorded
        sets = (names for names in space.function_sets() if counted is None or counted[space.block(names)[0]])
        return list(map(frozenset, sets))

    def _tells_of(self, config: Config, called: Collection[str]) -> bool:
        return self.known.dominance == "two_sided" or frozenset(dict(config)) == self._set_of(frozenset(called))

    def _set_of(self, called: frozenset[str]) -> frozenset[str] | None:
        """Return the smallest set of functions whose configurations show these functions and no other under load."""
        space = self.known.space
        idle = {name for name, rates in zip(space.functions, space.rates_rps, strict=True) if rates[0] == 0}
        return next((one for one in self._counted_sets if called <= one and one - called <= idle), None)


def rates_of(configs: Collection[Config], functions: Collection[str]) -> NDArray[np.int64]:
    """Return the rates of some functions in configurations, (k, f) in requests/s; 0 where a function is absent."""
    rows = [[dict(config).get(name, 0) for name in functions] for config in configs]
    return np.array(rows, np.int64).reshape(len(rows), len(functions))
