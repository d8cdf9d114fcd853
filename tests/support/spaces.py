"""Spaces for tests."""

from peva_env.space import ConfigSpace


def sparse(space: ConfigSpace) -> ConfigSpace:
    """Return the same space as one that is too large for arrays."""
    rates_rps = dict(zip(space.functions, space.rates_rps, strict=True))
    return ConfigSpace(
        rates_rps, min_functions=space.min_functions, max_functions=space.max_functions, dense_limit=space.n_configs - 1
    )
