"""Recorded measurements as a world of episodes: each recorded map is a scenario."""

from peva_env.sources.replay.maps import matching_names, names_by_size
from peva_env.sources.replay.world import ReplayWorld

__all__ = [
    "ReplayWorld",
    "matching_names",
    "names_by_size",
]
