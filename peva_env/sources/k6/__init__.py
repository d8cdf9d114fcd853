"""k6 as an instrument: its binary, the plan of a run, its process, its summary, and what it writes elsewhere.

What must always hold: every request that was due is accounted for (succeeded, failed or dropped); and whatever k6
itself did wrong is told, so that it is never charged to the node.
"""

from peva_env.sources.k6.runner import K6, FunctionLoad, LoadResult, find_k6
from peva_env.sources.k6.settings import k6_settings

__all__ = [
    "K6",
    "FunctionLoad",
    "LoadResult",
    "find_k6",
    "k6_settings",
]
