"""Where measurements come from: live load, a recording, a simulation.

What must always hold:

- ``measure`` returns one event for each run, and never raises for a run that failed: such a run is INVALID.
- Offline, the outcome of a run is a function of the episode's seed, the configuration and the iteration, whatever was
  measured before.
"""

from peva_env.sources.episodes import Episodes, Indices, Outcomes, Seeds, World, hashed, uniforms
from peva_env.sources.live import LiveSource
from peva_env.sources.other_programs import is_spoilt
from peva_env.sources.repeated import RepeatedWorld
from peva_env.sources.united import UnitedWorld

__all__ = [
    "Episodes",
    "Indices",
    "LiveSource",
    "Outcomes",
    "RepeatedWorld",
    "Seeds",
    "UnitedWorld",
    "World",
    "hashed",
    "is_spoilt",
    "uniforms",
]
