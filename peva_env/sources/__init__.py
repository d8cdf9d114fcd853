"""Where measurements come from: live load, a recording, a simulation."""

from peva_env.sources.episodes import Episodes, Indices, Outcomes, Words, World, hashed, uniforms
from peva_env.sources.live import LiveSource
from peva_env.sources.repeated import RepeatedWorld

__all__ = [
    "Episodes",
    "Indices",
    "LiveSource",
    "Outcomes",
    "RepeatedWorld",
    "Words",
    "World",
    "hashed",
    "uniforms",
]
