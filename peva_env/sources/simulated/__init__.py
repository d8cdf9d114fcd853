"""A simulated node with a known true frontier: a queueing model, drawn at random or given as plain data."""

from peva_env.sources.simulated.fitting import Fit, MeasuredRuns, fit_node
from peva_env.sources.simulated.world import SimulatedWorld

__all__ = [
    "Fit",
    "MeasuredRuns",
    "SimulatedWorld",
    "fit_node",
]
