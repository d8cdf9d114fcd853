"""What a memory says of a node: its map, what it answers to a question, and how it differs from another one's."""

from peva_env.maps.answers import Answer, Headroom, Neighbour, ask
from peva_env.maps.difference import Difference, compare
from peva_env.maps.node_map import CampaignRecord, NodeMap
from peva_env.maps.prediction import predict
from peva_env.maps.reading import read_map
from peva_env.maps.savings import cartesian_configs

__all__ = [
    "Answer",
    "CampaignRecord",
    "Difference",
    "Headroom",
    "Neighbour",
    "NodeMap",
    "ask",
    "cartesian_configs",
    "compare",
    "predict",
    "read_map",
]
