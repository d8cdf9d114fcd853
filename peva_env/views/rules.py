"""The overload rules whose limits the features of a view are margins to."""

from collections.abc import Mapping
from typing import Any

from peva_env.config import OverloadConfig


def rules_of(arguments: Mapping[str, Any]) -> OverloadConfig:
    """Return the rules in an environment's arguments; the defaults without any, and for a list of objectives."""
    given = arguments.get("overload")
    return OverloadConfig.model_validate(given if isinstance(given, Mapping) else {})
