"""The fixed loads of the other functions, while two functions of a plan are drawn."""

from collections.abc import Mapping, Sequence

from peva_env.errors import ConfigError
from peva_env.report.figures.map_slicer import PAIR
from peva_env.space import Config, ConfigSpace


class FixedLoads:
    """All loads at which the functions that are not drawn can be held: one slice each, fewest functions first.

    Args:
        space: the plan.
        functions: the two that are drawn.
    """

    def __init__(self, space: ConfigSpace, functions: Sequence[str]) -> None:
        self._rates_rps: Mapping[str, Sequence[int]] = {
            name: rates for name, rates in zip(space.functions, space.rates_rps, strict=True) if name not in functions
        }
        fewest = max(space.min_functions - PAIR, 0)
        most = min(space.max_functions - 1 - PAIR, len(self._rates_rps))
        self._n_alone = int(fewest == 0)
        self._loaded = None
        if most > 0:
            self._loaded = ConfigSpace(self._rates_rps, min_functions=max(fewest, 1), max_functions=most + 1)
        self.n_loads = self._n_alone + (self._loaded.n_configs if self._loaded else 0)

    def load(self, number: int) -> Config:
        """Return the fixed load of a slice by its number; the first is no load, or the lowest rates."""
        if self._loaded is None or number < self._n_alone:
            return []
        return self._loaded.config(number - self._n_alone)

    def checked(self, at: Mapping[str, int]) -> Config:
        """Return given fixed rates as a configuration.

        Raises:
            ConfigError: a function is drawn or unknown, or has no such rate.
        """
        for name, rate in at.items():
            if name not in self._rates_rps:
                raise ConfigError(f"at: {name!r} must be one of the functions not drawn: {self._names()}")
            if rate not in self._rates_rps[name]:
                rates = ", ".join(map(str, self._rates_rps[name]))
                raise ConfigError(f"at: {name} has no rate of {rate!r} rps in the plan, only {rates}")
        return sorted(at.items())

    def _names(self) -> str:
        return ", ".join(self._rates_rps) or "there are none"


def evenly_spread(n_all: int, n_wanted: int) -> list[int]:
    """Return ``n_wanted`` of ``0 .. n_all - 1``, or all, evenly spread, with the first and the last among them."""
    n = min(n_all, n_wanted)
    return [0] if n == 1 else [i * (n_all - 1) // (n - 1) for i in range(n)]
