"""Recorded measurements as a world of episodes: each recorded map is a scenario."""

from peva_env.sources.replay.maps import names_by_size
from peva_env.sources.replay.world import ReplayWorld

__all__ = [
    "ReplayWorld",
    "names_by_size",
]
