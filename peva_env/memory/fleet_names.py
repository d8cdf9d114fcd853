"""The names of a fleet's campaigns, ``NODE.MOMENT``: by them a memory knows which campaigns are of one node."""

import re
import time

_RUN_ID = re.compile(r"([0-9A-Za-z][0-9A-Za-z_-]*)\.\d{8}T\d{6}(?:-.*)?", re.DOTALL)
"""What follows the moment marks a repetition, other rules or a refinement."""


def fleet_run_id(node: str) -> str:
    """Return the name of a campaign of a fleet that begins now on a node, whose name has no dot."""
    return f"{node}.{time.strftime('%Y%m%dT%H%M%S')}"


def fleet_node(run_id: str) -> str | None:
    """Return the name of the node of a fleet's campaign; None for a campaign that is not of a fleet."""
    found = _RUN_ID.fullmatch(run_id)
    return found and found[1]
