"""The node under test: what serves the functions, and how its use is measured."""

from peva_env.platforms.base import NodeUsage, Platform, Usage, steady_window
from peva_env.platforms.cooldown import Cooldown, Rest

__all__ = [
    "Cooldown",
    "NodeUsage",
    "Platform",
    "Rest",
    "Usage",
    "steady_window",
]
