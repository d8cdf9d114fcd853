"""The load generator k6: its binary, the plan of a run, its process, its summary, and its outputs.

What must always hold:

- Every request that was due is accounted for: succeeded, failed or dropped.
- A fault of k6 itself is an error or part of the result, so that it is never charged to the node.
- No k6 process outlives its run.
- A run from several k6 counts as a run from one does, or names the k6 that failed.
"""

from peva_env.sources.k6.binary import find_k6
from peva_env.sources.k6.calibration import borne_rps
from peva_env.sources.k6.plan import FunctionLoad
from peva_env.sources.k6.result import LoadResult
from peva_env.sources.k6.runner import K6
from peva_env.sources.k6.settings import k6_settings
from peva_env.sources.k6.shards import Generators, LocalPlace, RayPlace
from peva_env.sources.k6.steps import Step

__all__ = [
    "K6",
    "FunctionLoad",
    "Generators",
    "LoadResult",
    "LocalPlace",
    "RayPlace",
    "Step",
    "borne_rps",
    "find_k6",
    "k6_settings",
]
