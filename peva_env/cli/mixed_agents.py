"""Agents that share the episodes of a dataset: ``--agent learnt:0.7,uniform:0.3``."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from peva_env.config import DfaasConfig
from peva_env.errors import ConfigError
from peva_env.planning import agent_factory
from peva_env.system import plain_number

_DRAW = 0x6D6978
"""Sets the draw of an episode's agent apart from other draws with the seed of the episode."""

_ROUNDING = 1e-6


def mixed_factory(text: str) -> Callable[[DfaasConfig], Any]:
    """Return a factory that draws an agent by the seed of the configuration; ``NAME:SHARE`` says how often.

    Raises:
        ConfigError: there is no such agent, or some shares are missing, not positive, or do not sum to 1.
    """
    parts = [_parted(part.strip()) for part in text.split(",")]
    if len(parts) == 1:
        name, share = parts[0]
        if share not in {None, 1.0}:
            raise ConfigError(f"--agent {text!r}: the shares sum to {share:g}, not to 1")
        return agent_factory(name)
    shares = [share for _, share in parts if share is not None and isfinite(share) and share > 0]
    if len(shares) < len(parts):
        raise ConfigError(f"--agent {text!r}: each agent needs a share above 0, as in learnt:0.7,uniform:0.3")
    if abs(sum(shares) - 1) > _ROUNDING:
        raise ConfigError(f"--agent {text!r}: the shares sum to {sum(shares):g}, not to 1")
    factories = [agent_factory(name) for name, _ in parts]
    bounds = np.cumsum(shares)[:-1]

    def make(config: DfaasConfig) -> Any:
        drawn = np.random.default_rng([_DRAW, config.seed or 0]).random()
        return factories[int(np.searchsorted(bounds, drawn, side="right"))](config)

    return make


def _parted(text: str) -> tuple[str, float | None]:
    """Return a name and its share; ``module:Class`` has none."""
    name, _, share = text.rpartition(":")
    try:
        return name, float(plain_number(share))
    except ValueError:
        return text, None
