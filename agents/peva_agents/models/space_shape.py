"""The shape of a space: a model that was trained on one space fits another space of the same shape."""

from collections.abc import Mapping
from typing import Any

from peva_env.space import ConfigSpace


def signature(space: ConfigSpace) -> dict[str, Any]:
    """Return the shape of a space as plain data, with its names and rates for readers."""
    return {
        "n_configs": space.n_configs,
        "n_functions": len(space.functions),
        "n_rates": [len(rates) for rates in space.rates_rps],
        "min_functions": space.min_functions,
        "max_functions": space.max_functions,
        "functions": list(space.functions),
        "rates_rps": [list(rates) for rates in space.rates_rps],
    }


def signature_text(found: Mapping[str, Any]) -> str:
    """Return the shape of a space in words."""
    rates = " x ".join(str(n) for n in found["n_rates"])
    sizes = f"{found['min_functions']} to {found['max_functions'] - 1} at once"
    return f"{found['n_configs']:,} configurations of {found['n_functions']} functions ({rates} rates, {sizes})"


def same_shape(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two spaces have the same shape: names and rates may differ, their numbers may not."""
    shape = ("n_configs", "n_functions", "n_rates", "min_functions", "max_functions")
    return all(one[key] == other[key] for key in shape)
