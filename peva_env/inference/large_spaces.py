"""Inference in spaces too large for arrays, by antichains of measured configurations."""

from dataclasses import dataclass, field

from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL
from peva_env.space import Config, ConfigSpace, Dominance, config_key, no_lower


@dataclass
class Antichain:
    """An antichain: the lowest overloaded configurations (``sign`` 1) or the highest OK ones (-1)."""

    sign: int
    extreme: list[tuple[tuple[int, ...], Config]] = field(default_factory=list)

    def add(self, rates: tuple[int, ...], config: Config) -> None:
        if self.beyond(rates) is None:
            self.extreme = [kept for kept in self.extreme if not self._reaches(rates, kept[0])]
            self.extreme.append((rates, config))

    def beyond(self, rates: tuple[int, ...]) -> Config | None:
        return next((config for base, config in self.extreme if self._reaches(base, rates)), None)

    def _reaches(self, base: tuple[int, ...], rates: tuple[int, ...]) -> bool:
        return no_lower(rates, base) if self.sign > 0 else no_lower(base, rates)


class Extremes:
    """One antichain of measured configurations for each label and each set of comparable functions."""

    def __init__(self, space: ConfigSpace, dominance: Dominance) -> None:
        self._space = space
        self._dominance = dominance
        self._antichains: dict[tuple[int, tuple[str, ...]], Antichain] = {}

    def add(self, config: Config, label: int) -> None:
        """Add a measured configuration; under one-sided dominance an OK label implies nothing."""
        if label == OVERLOADED_LABEL or self._dominance != "one_sided":
            names, rates = self._place(config)
            self._antichains.setdefault((label, names), Antichain(label)).add(rates, config)

    def telling(self, config: Config) -> tuple[Config, int] | None:
        """Return a measured configuration that implies this configuration's label, and the label, or None."""
        names, rates = self._place(config)
        for label in (OVERLOADED_LABEL, OK_LABEL):
            antichain = self._antichains.get((label, names))
            base = antichain.beyond(rates) if antichain else None
            if base is not None and base != sorted(config):
                return base, label
        return None

    def _place(self, config: Config) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Return the functions that dominance compares, and the configuration's rates of these functions."""
        if self._dominance != "two_sided":
            return config_key(config)
        return self._space.functions, tuple(self._space.rates_of([config])[0].tolist())
