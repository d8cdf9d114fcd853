"""What is measured next: the plan and how policies are found."""

from peva_env.planning.candidates import Candidates
from peva_env.planning.plan import DfaasPlanBuilder, PlanEstimate
from peva_env.planning.plugins import agent_factory, arena, campaign_loop, own_policy, trainer
from peva_env.planning.policies import NoOpPolicy, load_policy_algorithm
from peva_env.planning.scheduler import CartesianScheduler
from peva_env.planning.updates import PolicyUpdates, UpdateSchedule

__all__ = [
    "Candidates",
    "CartesianScheduler",
    "DfaasPlanBuilder",
    "NoOpPolicy",
    "PlanEstimate",
    "PolicyUpdates",
    "UpdateSchedule",
    "agent_factory",
    "arena",
    "campaign_loop",
    "load_policy_algorithm",
    "own_policy",
    "trainer",
]
