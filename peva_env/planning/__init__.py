"""The choice of the next measurement: the plan, schedulers, candidates, and the policies and agents found by name.

What must always hold:

- The configuration file determines the order of the plan.
- A scheduler proposes each configuration once.
- If a policy raises an exception or breaks its contract, a ``PolicyError`` names the policy.
"""

from peva_env.planning.candidates import Candidates
from peva_env.planning.chosen import only_configurations
from peva_env.planning.legal_only import LegalOnly
from peva_env.planning.plan import DfaasPlanBuilder, PlanEstimate
from peva_env.planning.plugins import agent_factory, arena, campaign_loop, fleet_command, own_policy, trainer
from peva_env.planning.policies import NoOpPolicy, load_policy_algorithm
from peva_env.planning.refining import REFINING_AGENT, Limit, Refinement, finer_rates
from peva_env.planning.resolution import hidden_overload, too_short_for
from peva_env.planning.scheduler import CartesianScheduler
from peva_env.planning.scouting import (
    Bracket,
    Limits,
    brackets,
    climb,
    ladder,
    outcome_text,
    rays,
    scouted_config,
    together,
    with_placeholder_rates,
    with_rates,
)
from peva_env.planning.updates import PolicyUpdates, UpdateSchedule

__all__ = [
    "REFINING_AGENT",
    "Bracket",
    "Candidates",
    "CartesianScheduler",
    "DfaasPlanBuilder",
    "LegalOnly",
    "Limit",
    "Limits",
    "NoOpPolicy",
    "PlanEstimate",
    "PolicyUpdates",
    "Refinement",
    "UpdateSchedule",
    "agent_factory",
    "arena",
    "brackets",
    "campaign_loop",
    "climb",
    "finer_rates",
    "fleet_command",
    "hidden_overload",
    "ladder",
    "load_policy_algorithm",
    "only_configurations",
    "outcome_text",
    "own_policy",
    "rays",
    "scouted_config",
    "together",
    "too_short_for",
    "trainer",
    "with_placeholder_rates",
    "with_rates",
]
