"""The node under test: the platform that serves its functions, its resource use, and the cooldown before a run.

What must always hold: CPU and RAM of the node are 0..100 percent of its capacity, and a value that was not measured is
None, never zero; a platform that fails to start has released everything; a failure is one line that says what to do.
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
