"""Rate strategies: which request rates a campaign offers."""

import random
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from peva_env.config.sections import Section, require_ordered

MAX_RATE_RPS = 100_000
"""More than any k6 sends from one machine."""


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
    """``count`` different rates drawn from ``min_rate .. max_rate``; the same seed draws the same rates."""

    type: Literal["random"]
    min_rate: int = Field(10, ge=0)
    max_rate: int = Field(200, ge=0, le=MAX_RATE_RPS)
    count: int = Field(10, ge=1)
    seed: int | None = Field(None, description="the campaign's seed, or 0, where this is left out")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.count > self.max_rate - self.min_rate + 1:
            raise ValueError(f"count must be at most max_rate - min_rate + 1; got {self.count}")
        return require_ordered(self, "min_rate", "max_rate")

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        draw = random.Random(self.seed).sample  # noqa: S311 - load rates, not secrets
        return sorted(draw(range(self.min_rate, self.max_rate + 1), self.count))


class ExponentialRates(Section):
    """``base ** power`` for each power, up to ``max_rate`` where that is set."""

    type: Literal["exponential"]
    base: int = Field(2, ge=2)
    min_power: int = Field(0, ge=0)
    max_power: int = Field(8, ge=0, le=30)
    max_rate: int = Field(MAX_RATE_RPS, ge=1, le=MAX_RATE_RPS, description="highest rate")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.base**self.min_power > self.max_rate:
            raise ValueError(f"max_rate must be at least base ** min_power = {self.base**self.min_power}")
        return require_ordered(self, "min_power", "max_power")

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        rates = [self.base**power for power in range(self.min_power, self.max_power + 1)]
        return [rate for rate in rates if rate <= self.max_rate]


class CustomRates(Section):
    """The rates themselves; order and duplicates do not matter."""

    type: Literal["custom"]
    rates: list[Annotated[int, Field(ge=0, le=MAX_RATE_RPS)]] = Field(min_length=1)

    def generate_rates(self) -> list[int]:
        """Return the rates in requests per second, ascending."""
        return sorted(set(self.rates))


RateStrategy = Annotated[LinearRates | RandomRates | ExponentialRates | CustomRates, Field(discriminator="type")]
