"""The node under test: it runs the functions, gives their addresses, measures CPU and RAM, and cools down between runs.

What must always hold:

- A platform reports problems outside the functions (``failure``); a run with such a problem is INVALID.
- CPU and RAM are percent of capacity, 0 to 100, whatever the number of cores; a value that was not measured is None.
- A platform stops everything that it started, even if ``start`` fails; ``stop`` may be called twice.
"""

from peva_env.platforms.base import MachineUsage, NodeUsage, Platform, Usage, steady_window
from peva_env.platforms.cooldown import Cooldown, Rest
from peva_env.platforms.probes import ProbedPlatform
from peva_env.platforms.tls import trust

__all__ = [
    "Cooldown",
    "MachineUsage",
    "NodeUsage",
    "Platform",
    "ProbedPlatform",
    "Rest",
    "Usage",
    "steady_window",
    "trust",
]
