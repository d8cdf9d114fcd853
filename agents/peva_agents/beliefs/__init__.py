"""Estimates of a node: the learnt agent's networks and their inputs, probabilities of overload, and priors."""

from peva_agents.beliefs.comparison import N_INPUTS, SCORE_INPUT, Comparison, correction_inputs
from peva_agents.beliefs.network import FARTHEST, Network
from peva_agents.beliefs.networks_file import Networks
from peva_agents.beliefs.node_belief import NodeBelief
from peva_agents.beliefs.prior import Prior
from peva_agents.beliefs.scouted import ScoutedFrontier

__all__ = [
    "FARTHEST",
    "N_INPUTS",
    "SCORE_INPUT",
    "Comparison",
    "Network",
    "Networks",
    "NodeBelief",
    "Prior",
    "ScoutedFrontier",
    "correction_inputs",
]
