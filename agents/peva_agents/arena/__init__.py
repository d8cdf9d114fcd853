"""The arena: agents play the same episodes and are compared."""

from peva_agents.arena.intervals import bootstrap, mean, resamples
from peva_agents.arena.legal_only import LegalOnly
from peva_agents.arena.play import arena
from peva_agents.arena.scores import score

__all__ = [
    "LegalOnly",
    "arena",
    "bootstrap",
    "mean",
    "resamples",
    "score",
]
