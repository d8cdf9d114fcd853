"""Rates on the command line: which functions of a simulated node, at which rates."""

from collections.abc import Sequence

from peva_env.config import load_config
from peva_env.errors import ConfigError
from peva_env.make import SAMPLE_CONFIG
from peva_env.planning import DfaasPlanBuilder


def parse_rates(texts: Sequence[str]) -> dict[str, list[int]]:
    """Read ``name=first:last:step``, the last one included, or ``name=rate,rate``.

    Raises:
        ConfigError: a text is neither.
    """
    rates_rps = {}
    for text in texts:
        name, _, listed = text.partition("=")
        try:
            numbers = [int(part) for part in listed.replace(":", ",").split(",")]
            if ":" in listed:
                first, last, step = numbers
                numbers = list(range(first, last + 1, step))
        except ValueError:
            raise ConfigError(f"--rates {text!r}: must be as a=0,20,40 or a=0:200:10 (first:last:step)") from None
        rates_rps[name] = numbers
    return rates_rps


def simulated_rates(node: str, texts: Sequence[str] | None) -> dict[str, list[int]] | None:
    """Return the rates that were given; without, those of the quick start for the local node, and no own for others."""
    if texts:
        return parse_rates(texts)
    if node != "local":
        return None
    space = DfaasPlanBuilder(load_config(SAMPLE_CONFIG)).build_space()
    return {name: list(rates) for name, rates in zip(space.functions, space.rates_rps, strict=True)}
