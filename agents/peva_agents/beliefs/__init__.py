"""What agents know and estimate of a node: measurements as arrays, processes, features, reach."""

from peva_agents.beliefs.features import N_FEATURES, Counts, Features
from peva_agents.beliefs.history import valid_runs
from peva_agents.beliefs.measured import Floats, Measured, highest_rps
from peva_agents.beliefs.network import FARTHEST, Network
from peva_agents.beliefs.node_belief import NodeBelief
from peva_agents.beliefs.prior import Prior
from peva_agents.beliefs.reach import CountArray, Reach

__all__ = [
    "FARTHEST",
    "N_FEATURES",
    "CountArray",
    "Counts",
    "Features",
    "Floats",
    "Measured",
    "Network",
    "NodeBelief",
    "Prior",
    "Reach",
    "highest_rps",
    "valid_runs",
]
