"""From brackets to rates: levels around each limit, denser near it, rounded to numbers that people like."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peva_env.config import AutoRates, DfaasConfig, parse_config
from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.planning.scouting.brackets import Bracket, brackets, outcome_text

_LOWEST, _HIGHEST = 0.2, 1.4
"""The first and the last level as shares of the limit."""

_SHARE_BELOW = 2 / 3
"""Share of the levels below the limit."""

_DENSITY = 1.5
"""Exponent by which the distance of a level from the limit grows; 1 would be equal distances."""

_FINEST = 15
"""Rates are multiples of 1, 2 or 5 times a power of ten, of the largest that is at most the limit divided by this."""


def scouted_config(config: DfaasConfig, events: Iterable[ExecutionEvent]) -> DfaasConfig:
    """Return a configuration of ``rate_strategy: {type: auto}`` with the rates that its scouting found.

    Functions with a ``rate_strategy`` of their own keep it. Where all rates together would exceed ``max_total_rate``,
    the highest levels are left out.

    Raises:
        ConfigError: a function has no valid step, or bears no load at all.
    """
    strategy = config.rate_strategy
    if not isinstance(strategy, AutoRates):
        return config
    found = {bracket.names[0]: bracket for bracket in brackets(events) if len(bracket.names) == 1}
    rates = {
        function.name: _rates(function.name, found.get(function.name), strategy.levels, function.max_rate)
        if function.rate_strategy is None
        else function.rates_rps(())
        for function in config.functions
    }
    return with_rates(config, _fitting(rates, config), where="rates of the scouting")


def with_placeholder_rates(config: DfaasConfig) -> DfaasConfig:
    """Return a configuration of ``type: auto`` with as many rates as it will have. Only their number has a meaning."""
    strategy = config.rate_strategy
    if not isinstance(strategy, AutoRates):
        return config
    rates = {
        function.name: list(range(1, strategy.levels + 1))
        for function in config.functions
        if function.rate_strategy is None
    }
    return with_rates(config.model_copy(update={"max_total_rate": None}), rates, where="rates of the scouting")


def levels(limit_rps: float, n: int, *, is_reached: bool = True) -> list[int]:
    """Return at most ``n`` rates around a limit, ascending, each at least 1.

    Args:
        limit_rps: the limit, or the highest rate that was tried.
        n: number of rates; there are fewer only if the limit has not so many whole numbers around it.
        is_reached: whether the function breaks at the limit; else the rates end there, at equal distances.
    """
    wanted = _shares(n) if is_reached else [_LOWEST + (1 - _LOWEST) * (i + 1) / n for i in range(n)]
    for unit in _units(limit_rps / _FINEST):
        rates = sorted({max(1, unit * round(share * limit_rps / unit)) for share in wanted})
        if len(rates) == n:
            return rates
    return rates


def _rates(name: str, bracket: Bracket | None, n: int, max_rate: int | None) -> list[int]:
    if bracket is None:
        raise ConfigError(f"rate_strategy.type auto: no step of {name} was valid: scout again with `peva-env scout`")
    if bracket.highest_ok is None:
        raise ConfigError(
            f"rate_strategy.type auto: {outcome_text(bracket)}; no rates can be chosen: mend the function and "
            "scout again with `peva-env scout`, or write its rates yourself"
        )
    limit_rps = bracket.limit_rps()
    if bracket.first_overloaded is None:
        rates = levels(bracket.highest_ok[0][1], n, is_reached=False)
        return [rate for rate in rates if rate <= bracket.highest_ok[0][1]]
    # Without a step below the first overloaded one, it breaks at random from the start: the highest OK step is a guess.
    middle_rps = limit_rps[name] if limit_rps else bracket.highest_ok[0][1]
    return [rate for rate in levels(middle_rps, n) if max_rate is None or rate <= max_rate] or [1]


def _shares(n: int) -> list[float]:
    n_below = max(1, round(_SHARE_BELOW * n))
    below = [1 - (1 - _LOWEST) * ((n_below - i) / n_below) ** _DENSITY for i in range(n_below)]
    n_above = n - n_below
    above = [1 + (_HIGHEST - 1) * ((i + 1) / n_above) ** _DENSITY for i in range(n_above)]
    return below + above


def _units(largest: float) -> Sequence[int]:
    """Return the units to round to: 1, 2 and 5 times powers of ten, the largest first."""
    units = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
    return sorted((unit for unit in units if unit <= max(1.0, largest)), reverse=True)


def _fitting(rates: dict[str, list[int]], config: DfaasConfig) -> dict[str, list[int]]:
    """Return rates whose heaviest configuration offers at most ``max_total_rate``."""
    most = config.max_total_rate
    heaviest = sum(sorted(map(max, rates.values()), reverse=True)[: config.combinations.max_functions - 1])
    if most is None or heaviest <= most:
        return rates
    return {
        name: [rate for rate in some if rate <= max(some) * most / heaviest] or some for name, some in rates.items()
    }


def with_rates(config: DfaasConfig, rates: Mapping[str, Sequence[int]], *, where: str, **keys: Any) -> DfaasConfig:
    """Return a configuration with these rates of functions, and with other values of keys.

    Raises:
        ConfigError: a value is wrong; its one line opens with ``where``.
    """
    data = config.model_dump(mode="json", exclude_unset=True)
    functions = data.get("functions") or [{"name": function.name} for function in config.functions]
    for function in functions:
        if function["name"] in rates:
            function["rate_strategy"] = {"type": "custom", "rates": list(rates[function["name"]])}
    shared = sorted({rate for some in rates.values() for rate in some})
    data |= {"functions": functions, "rate_strategy": {"type": "custom", "rates": shared}, **keys}
    return parse_config(data, where=where)
