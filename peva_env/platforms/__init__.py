"""The node under test: where functions run, how they are reached, how much CPU and RAM they use, when they rest.

What must always hold:

- A platform says what went wrong outside the functions (``failure``); such a run is INVALID.
- CPU and RAM are percent of capacity, 0 to 100, whatever the number of cores; a value that was not measured is None.
- What a platform has started, it stops, also where starting fails; ``stop`` may be called twice.
"""

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
