"""Parsers of option values that are more than a single number or word."""

from collections.abc import Sequence
from typing import Any

from peva_env.errors import ConfigError
from peva_env.system import json_value, plain_number

_MOST_RATES = 100_000
"""Of one function: they are all held in memory."""


def parse_names(text: str) -> list[str]:
    """Read names with commas between them.

    Raises:
        ConfigError: a name is empty.
    """
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ConfigError(f"{text!r}: a name is empty; write names with commas between them, as in a,b")
    return names


def parse_budgets(text: str) -> list[int]:
    """Read whole numbers with commas between them.

    Raises:
        ConfigError: the text is anything else.
    """
    try:
        return [int(plain_number(part)) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--budgets {text!r}: must be numbers of runs, as in 12,25,50") from None


def parse_rates(texts: Sequence[str]) -> dict[str, list[int]]:
    """Read ``name=first:last:step``, the last one included, or ``name=rate,rate``.

    Raises:
        ConfigError: a text is neither, has too many rates, or is of the same function as another one.
    """
    rates_rps = {}
    for text in texts:
        name, _, listed = text.partition("=")
        try:
            numbers: Sequence[int] = [int(plain_number(part)) for part in listed.replace(":", ",").split(",")]
            if ":" in listed:
                first, last, step = numbers
                numbers = range(first, last + 1, step)
        except ValueError:
            raise ConfigError(f"--rates {text!r}: must be as a=0,20,40 or a=0:200:10 (first:last:step)") from None
        if len(numbers[: _MOST_RATES + 1]) > _MOST_RATES:
            raise ConfigError(f"--rates {text!r}: has more than {_MOST_RATES:,} rates; give a larger step")
        if name in rates_rps:
            raise ConfigError(f"--rates {text!r}: the rates of {name!r} are given twice")
        rates_rps[name] = list(numbers)
    return rates_rps


def parse_hyperparameters(texts: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value``, where a value is JSON or else text.

    Raises:
        ConfigError: a text has no name or no equals sign, or its name is given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ConfigError(f"--set {text!r}: must be NAME=VALUE, as in learning_rate=0.001")
        if name in values:
            raise ConfigError(f"--set {text!r}: {name} is given twice")
        try:
            values[name] = json_value(value)
        except ValueError:
            values[name] = value
    return values
