"""What agents think of a node: features, Gaussian processes, capacity, reach, history."""

from peva_agents.beliefs.features import N_FEATURES, Counts, Features
from peva_agents.beliefs.history import valid_runs
from peva_agents.beliefs.measured import Measured
from peva_agents.beliefs.network import FARTHEST, Network
from peva_agents.beliefs.node_belief import Floats, NodeBelief
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
    "valid_runs",
]
