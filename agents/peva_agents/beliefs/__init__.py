"""Knowledge and estimates of a node: measurements as arrays, Gaussian processes, features, and counts by dominance."""

from peva_agents.beliefs.comparison import N_INPUTS, SCORE_INPUT, Comparison, correction_inputs
from peva_agents.beliefs.features import Counts, Features
from peva_agents.beliefs.history import valid_runs
from peva_agents.beliefs.measured import Floats, Measured, highest_rps
from peva_agents.beliefs.network import FARTHEST, Network
from peva_agents.beliefs.networks_file import Networks
from peva_agents.beliefs.node_belief import NodeBelief
from peva_agents.beliefs.prior import Prior
from peva_agents.beliefs.reach import CountArray, Reach

__all__ = [
    "FARTHEST",
    "N_INPUTS",
    "SCORE_INPUT",
    "Comparison",
    "CountArray",
    "Counts",
    "Features",
    "Floats",
    "Measured",
    "Network",
    "Networks",
    "NodeBelief",
    "Prior",
    "Reach",
    "correction_inputs",
    "highest_rps",
    "valid_runs",
]
