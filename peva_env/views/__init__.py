"""Views of campaigns: what an agent sees, and what its actions name.

- ``map``: all configurations; see ``peva_env.observation``. Its shape is that of the space.
- ``candidates``: ``K`` candidates by the same numbers without a unit. Its shape is the same for every space.

What must always hold:

- A view shows the same in one environment and in many side by side, up to rounding of the features.
- Everything random about a view is a hash of the episode's seed and of the number of steps.
"""

from peva_env.views.candidate_rows import CONTEXT, ROW, CandidateRows, runs_of
from peva_env.views.choice import NO_CANDIDATE, Choice, choice_of
from peva_env.views.names import CANDIDATES, DEFAULT_K, MAP, candidates_of, require_k, require_supported
from peva_env.views.rules import rules_of
from peva_env.views.side_by_side import STOP, VectorView, vector_view

__all__ = [
    "CANDIDATES",
    "CONTEXT",
    "DEFAULT_K",
    "MAP",
    "NO_CANDIDATE",
    "ROW",
    "STOP",
    "CandidateRows",
    "Choice",
    "VectorView",
    "candidates_of",
    "choice_of",
    "require_k",
    "require_supported",
    "rules_of",
    "runs_of",
    "vector_view",
]
