"""Maps of a node: read from a memory, asked about a load or for limits, compared with another map.

What must always hold:

- A map is read from a snapshot of the memory: a campaign may be writing to it, and nothing is changed.
- What is measured or inferred is proved; what is predicted is an estimate, and is always marked as such.
- A change between two maps counts only where the runs of both exclude chance.
"""

from peva_env.maps.added_functions import WHY_ADDING_HELPS, AddedFunction, added_functions, is_above_fewer
from peva_env.maps.answers import Headroom, LoadAnswer, Neighbour, ask
from peva_env.maps.capacity import Capacity, capacities
from peva_env.maps.change_points import ChangePoint
from peva_env.maps.deciding import DecidingRuns, deciding_runs
from peva_env.maps.difference import LEVEL, Change, MapDifference, compare
from peva_env.maps.limits import Box, FunctionLimit, Limits, MixLimit, SafeMix, limits_of
from peva_env.maps.map_of_runs import DOMINANCE_RULES
from peva_env.maps.node_map import CampaignRecord, NodeMap, valid_runs
from peva_env.maps.prediction import predict
from peva_env.maps.reading import StoredMap, read_fleet, read_map, read_stored
from peva_env.maps.recheck import Recheck, recheck_of
from peva_env.maps.savings import Savings, cartesian_configs, savings_of
from peva_env.maps.shared_side import Proof, SharedSide
from peva_env.maps.snippets import SNIPPETS, snippet
from peva_env.maps.trend import TOTAL, Trend, TrendPoint, trend_of
from peva_env.maps.twin import Twin, TwinCapacity, TwinFit, predicted_runs, twin_capacity, twin_labels, twin_of

__all__ = [
    "DOMINANCE_RULES",
    "LEVEL",
    "SNIPPETS",
    "TOTAL",
    "WHY_ADDING_HELPS",
    "AddedFunction",
    "Box",
    "CampaignRecord",
    "Capacity",
    "Change",
    "ChangePoint",
    "DecidingRuns",
    "FunctionLimit",
    "Headroom",
    "Limits",
    "LoadAnswer",
    "MapDifference",
    "MixLimit",
    "Neighbour",
    "NodeMap",
    "Proof",
    "Recheck",
    "SafeMix",
    "Savings",
    "SharedSide",
    "StoredMap",
    "Trend",
    "TrendPoint",
    "Twin",
    "TwinCapacity",
    "TwinFit",
    "added_functions",
    "ask",
    "capacities",
    "cartesian_configs",
    "compare",
    "deciding_runs",
    "is_above_fewer",
    "limits_of",
    "predict",
    "predicted_runs",
    "read_fleet",
    "read_map",
    "read_stored",
    "recheck_of",
    "savings_of",
    "snippet",
    "trend_of",
    "twin_capacity",
    "twin_labels",
    "twin_of",
    "valid_runs",
]
