"""Rate strategies: which request rates a campaign offers."""

import random
import warnings
from collections.abc import Mapping
from itertools import takewhile
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from peva_env.config.duration import Duration, duration_seconds
from peva_env.config.section import Section, require_no_truth, require_ordered

MAX_RATE_RPS = 100_000
"""Upper bound of a rate: more than k6 can send from one machine."""


_SHORTEST_STEP_S = 2.0
_MAX_MIN_POWER = 16
"""2 ** 17 is beyond ``MAX_RATE_RPS``."""


class LinearRates(Section):
    """``min_rate, min_rate + step, ... max_rate``."""

    type: Literal["linear"] = "linear"
    min_rate: int = Field(0, ge=0)
    max_rate: int = Field(200, ge=0, le=MAX_RATE_RPS)
    step: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return require_ordered(self, "min_rate", "max_rate")

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        return list(range(self.min_rate, self.max_rate + 1, self.step))


class RandomRates(Section):
    """``count`` different rates drawn from ``min_rate .. max_rate``, or all of them if there are fewer.

    The same seed draws the same rates.
    """

    type: Literal["random"]
    min_rate: int = Field(10, ge=0)
    max_rate: int = Field(200, ge=0, le=MAX_RATE_RPS)
    count: int = Field(10, ge=1)
    seed: int | None = Field(None, description="seed of the draw; default: the campaign's seed, else 0")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return require_ordered(self, "min_rate", "max_rate")

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        rates = range(self.min_rate, self.max_rate + 1)
        draw = random.Random(self.seed).sample  # noqa: S311 - load rates, not secrets
        return sorted(draw(rates, min(self.count, len(rates))))


class ExponentialRates(Section):
    """``base ** power`` for each power, without rates above ``max_rate``, if it is set."""

    type: Literal["exponential"]
    base: int = Field(2, ge=2, le=MAX_RATE_RPS)
    min_power: int = Field(0, ge=0, le=_MAX_MIN_POWER)
    max_power: int = Field(8, ge=0)
    max_rate: int | None = Field(None, ge=1, description=f"highest rate; {MAX_RATE_RPS} without it")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.base**self.min_power > (self.max_rate or MAX_RATE_RPS):
            raise ValueError(f"max_rate must be at least base ** min_power = {self.base**self.min_power}")
        asks_for_more = self.base ** min(self.max_power, _MAX_MIN_POWER + 1) > MAX_RATE_RPS
        if self.max_rate is not None and self.max_rate > MAX_RATE_RPS and asks_for_more:
            raise ValueError(f"max_rate must be at most {MAX_RATE_RPS} where max_power goes beyond it")
        return require_ordered(self, "min_power", "max_power")

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        highest = min(self.max_rate or MAX_RATE_RPS, MAX_RATE_RPS)
        rates = (self.base**power for power in range(self.min_power, self.max_power + 1))
        return list(takewhile(lambda rate: rate <= highest, rates))


class CustomRates(Section):
    """A list of rates; order and duplicates are ignored."""

    type: Literal["custom"]
    rates: list[Annotated[int, Field(ge=0, le=MAX_RATE_RPS)]] = Field(min_length=1)

    @field_validator("rates", mode="before")
    @classmethod
    def _are_numbers(cls, rates: object) -> object:
        for rate in rates if isinstance(rates, list) else ():
            require_no_truth(rate)
        return rates

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        return sorted(set(self.rates))


def migrate_rates(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with its older ``rates`` as ``rate_strategy``, unless a strategy of its own is there."""
    migrated = dict(values)
    rates = migrated.pop("rates", None)
    if has_older_rates(values):
        warnings.warn("'rates' is deprecated: write 'rate_strategy' with type: linear", FutureWarning, 3)
        migrated["rate_strategy"] = {**rates, "type": "linear"} if isinstance(rates, Mapping) else rates
    elif rates is not None:
        warnings.warn("'rates' is ignored, because 'rate_strategy' is there, too: leave it out", FutureWarning, 3)
    return migrated


def has_older_rates(values: Mapping[str, Any]) -> bool:
    """Tell whether the rates of a configuration are its older ``rates``: its ``rate_strategy`` is the default one."""
    strategy, default = values.get("rate_strategy"), LinearRates().model_dump()
    is_default = strategy is None or (isinstance(strategy, Mapping) and default | dict(strategy) == default)
    return is_default and values.get("rates") is not None


class AutoRates(Section):
    """Rates around the limit of each function, which a scouting finds: see ``peva_env.planning.scouting``."""

    type: Literal["auto"]
    levels: int = Field(12, ge=2, le=100, description="rates of each function")
    max_rate: int = Field(
        1000, ge=1, le=MAX_RATE_RPS, description="highest rate that a scouting offers a function, in requests/s"
    )
    step: Duration = Field("5s", description="length of a step of a scouting")
    max_time: Duration = Field("10m", description="longest time of a scouting")

    @property
    def step_s(self) -> float:
        """Length of a step in seconds."""
        return duration_seconds(self.step)

    @property
    def max_time_s(self) -> float:
        """Longest time of a scouting in seconds."""
        return duration_seconds(self.max_time)

    @field_validator("step")
    @classmethod
    def _long_enough_to_end_early(cls, text: str) -> str:
        if duration_seconds(text) < _SHORTEST_STEP_S:
            raise ValueError(f"must be at least {_SHORTEST_STEP_S:g}s: k6 ends a step that breaks only every 2 s")
        return text

    def generate_rates(self) -> list[int]:
        """Return no rates: they are not known before the scouting."""
        return []


OwnRates = Annotated[LinearRates | RandomRates | ExponentialRates | CustomRates, Field(discriminator="type")]
"""The rates of one function."""

RateStrategy = Annotated[
    LinearRates | RandomRates | ExponentialRates | CustomRates | AutoRates, Field(discriminator="type")
]
