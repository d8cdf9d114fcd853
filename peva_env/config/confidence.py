"""Levels of confidence."""

from peva_env.errors import ConfigError

LEVEL_WANTED = "must be above 0.5 and below 1, such as 0.95; no number of runs makes a verdict certain"

_EVEN_CHANCE = 0.5


def is_level(level: float) -> bool:
    """Tell whether a number is a level of confidence that runs can reach, and chance alone does not."""
    return _EVEN_CHANCE < level < 1


def require_level(name: str, level: float) -> None:
    """Check a level of confidence.

    Raises:
        ConfigError: it is not above 0.5 and below 1.
    """
    if not is_level(level):
        raise ConfigError(f"{name} {level:g}: {LEVEL_WANTED}")
