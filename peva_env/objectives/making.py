"""Objectives by name."""

from collections.abc import Mapping
from typing import Any

from peva_env.errors import ConfigError
from peva_env.objectives.first_version import FirstVersion
from peva_env.objectives.shipped import (
    EarlyObjective,
    FrontierObjective,
    GoodputObjective,
    RightObjective,
    SecondsObjective,
)
from peva_env.objectives.step import Objective
from peva_env.space import ConfigSpace
from peva_env.system import load_class

OBJECTIVES: Mapping[str, type[Any]] = {
    "frontier": FrontierObjective,
    "goodput": GoodputObjective,
    "early": EarlyObjective,
    "seconds": SecondsObjective,
    "right": RightObjective,
}
"""The objectives that come with the package, by name."""


def make_objective(
    name: str,
    arguments: Mapping[str, Any],
    space: ConfigSpace,
    *,
    budget_seconds: float | None = None,
    version: int = 1,
) -> Objective:
    """Build an objective by its name in ``OBJECTIVES``, or from ``module:Class``.

    Args:
        name: its name.
        arguments: its arguments.
        space: the configurations.
        budget_seconds: the limit of seconds of an episode, which ``seconds`` charges.
        version: that of the environment's id; 0 for the rewards of ``-v0``, see ``peva_env.make``.

    Raises:
        ConfigError: the name is unknown, or the objective does not accept the arguments.
    """
    if name not in OBJECTIVES and ":" not in name:
        raise ConfigError(f"reward = {name!r}: must be one of {', '.join(OBJECTIVES)}, or a 'module:Class'")
    kind = OBJECTIVES.get(name) or load_class(name, what="reward", error=ConfigError)
    if kind is SecondsObjective:
        arguments = {"limit_s": budget_seconds, **arguments}
    try:
        objective: Objective = kind(space, **arguments)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"reward = {name!r}: cannot be built: {error}") from error
    if not callable(getattr(objective, "reward", None)):
        raise ConfigError(f"reward = {name!r}: it lacks the method reward(step, memo)")
    return FirstVersion(objective) if version == 0 else objective
