"""The check of a training's settings, their defaults by the size of the map, and the versions of its packages."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import ValidationError

from peva_env.config import explain_problem
from peva_env.config.offline import TrainingConfig
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace
from peva_env.views import MAP

_PACKAGES = ("peva-env", "gymnasium", "numpy", "stable-baselines3", "sb3-contrib", "torch")

_LARGE_MAP = 2_000
"""Number of configurations beyond which a step costs several times as much."""


def sized_for(config: TrainingConfig, space: ConfigSpace, n_spaces: int = 1) -> TrainingConfig:
    """Return the settings with numbers of steps and environments, of which each space of the training has one.

    With the view of the map, their defaults depend on the size of the map.
    """
    is_large = config.view == MAP and is_large_map(space)
    n_envs = max(config.n_envs or (16 if is_large else 64), n_spaces)
    usual = 30_000 if is_large else 60_000 if config.algo == "dqn" else 300_000
    return config.model_copy(update={"n_envs": n_envs, "total_steps": config.total_steps or usual})


def is_large_map(space: ConfigSpace) -> bool:
    """Tell whether a map is large: the defaults are then fewer environments and a smaller network."""
    return space.n_configs > _LARGE_MAP


def parse_training(given: Mapping[str, Any]) -> TrainingConfig:
    """Check the settings of a training.

    Raises:
        ConfigError: a setting cannot be used; the message is one line that names it.
    """
    try:
        return TrainingConfig.model_validate(dict(given))
    except ValidationError as error:
        raise ConfigError(explain_problem(error.errors()[0], TrainingConfig)) from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a model is made with."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
