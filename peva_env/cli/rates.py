"""The rates of a simulated node on the command line."""

from collections.abc import Mapping
from typing import Any

from peva_env.config import load_config
from peva_env.make import SAMPLE_CONFIG
from peva_env.planning import DfaasPlanBuilder


def simulated_rates(node: str, given: Mapping[str, list[int]] | None) -> dict[str, Any] | None:
    """Return the rates that were given; else those of the quick start for the node ``local``, None for others."""
    if given:
        return dict(given)
    if node != "local":
        return None
    space = DfaasPlanBuilder(load_config(SAMPLE_CONFIG)).build_space()
    return {name: list(rates) for name, rates in zip(space.functions, space.rates_rps, strict=True)}
