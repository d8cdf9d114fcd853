"""The arena: agents play the same episodes and are compared."""

from peva_agents.arena.intervals import bootstrap, mean, resamples
from peva_agents.arena.legal_only import LegalOnly
from peva_agents.arena.play import arena
from peva_agents.arena.scores import score
from peva_agents.arena.seeds import PARTS, Part, part_seeds

__all__ = [
    "PARTS",
    "LegalOnly",
    "Part",
    "arena",
    "bootstrap",
    "mean",
    "part_seeds",
    "resamples",
    "score",
]
