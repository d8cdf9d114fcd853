"""The arena: agents play the same episodes and are compared.

What must always hold:

- All agents get the same outcomes.
- An agent's illegal actions are skipped, so that no agent pays for a no-op.
- Results depend neither on the number of processes nor on whether the arena was stopped and resumed.
"""

from peva_agents.arena.episode import play_episode
from peva_agents.arena.intervals import bootstrap, mean, resamples
from peva_agents.arena.play import arena
from peva_agents.arena.seeds import PARTS, Part, part_seeds
from peva_agents.arena.text_table import TextTable
from peva_agents.arena.world import Episode

__all__ = [
    "PARTS",
    "Episode",
    "Part",
    "TextTable",
    "arena",
    "bootstrap",
    "mean",
    "part_seeds",
    "play_episode",
    "resamples",
]
