"""Published methods, written from their papers, to compare our agents with in the arena.

What must always hold: a rival keeps the method's own criterion of choice. As every agent, it is offered unknown
configurations alone, and the campaign infers further verdicts by dominance.
"""

from peva_agents.rivals.isotonic import IsotonicAgent
from peva_agents.rivals.look_ahead import GlobalMIAgent, GlobalSURAgent

__all__ = ["GlobalMIAgent", "GlobalSURAgent", "IsotonicAgent"]
