"""Fleets: campaigns on many nodes at once, each in a Ray actor, with one memory.

What must always hold:

- A run that is finished is never lost: the node's own memory has it before the driver hears of it, and the fleet's
  memory before the node forgets it.
- Nothing is measured twice: a campaign begins with what both memories have.
- A cluster has at most one campaign on a node, and a fleet's memory one driver.
- A node starts a run only with the leave of the driver, so that limits hold for the fleet as a whole.
"""

from peva_agents.fleet.driver import FleetDriver
from peva_agents.fleet.file import FleetNode, FleetPlan, load_fleet
from peva_agents.fleet.fleet import merge, run, status, stop
from peva_agents.fleet.news import NodeState, Phase
from peva_agents.fleet.node import NodeCampaign
from peva_agents.fleet.orders import Orders
from peva_agents.fleet.shares import LoadShares

__all__ = [
    "FleetDriver",
    "FleetNode",
    "FleetPlan",
    "LoadShares",
    "NodeCampaign",
    "NodeState",
    "Orders",
    "Phase",
    "load_fleet",
    "merge",
    "run",
    "status",
    "stop",
]
