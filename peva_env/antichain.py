"""The extreme ones of some configurations, for spaces too large for arrays."""

from dataclasses import dataclass, field

from peva_env.space import Config


@dataclass
class Antichain:
    """The extreme ones of some configurations: the lowest overloaded ones (``sign`` 1) or the highest OK ones (-1)."""

    sign: int
    extreme: list[tuple[tuple[int, ...], Config]] = field(default_factory=list)

    def add(self, rates: tuple[int, ...], config: Config) -> None:
        if self.beyond(rates) is None:
            self.extreme = [kept for kept in self.extreme if not self._reaches(rates, kept[0])]
            self.extreme.append((rates, config))

    def beyond(self, rates: tuple[int, ...]) -> Config | None:
        return next((config for base, config in self.extreme if self._reaches(base, rates)), None)

    def _reaches(self, base: tuple[int, ...], rates: tuple[int, ...]) -> bool:
        return all(self.sign * (rate - end) >= 0 for rate, end in zip(rates, base, strict=True))
