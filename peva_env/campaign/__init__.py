"""Campaigns: one agent measures one space, step by step, within a budget; live runs are recorded.

What must always hold:

- A known configuration is not measured again. A contradicted configuration is, and then goes into quarantine.
- The memory is written before the artifacts: each row of a CSV file is in the memory too.
- Offline campaigns write nothing, and no measurement of one episode is visible in the next.
"""

from peva_env.campaign.batch import CampaignState
from peva_env.campaign.budget import Budget, require_positive
from peva_env.campaign.campaign import Campaign
from peva_env.campaign.doctor import Check, not_idle, plan_problems, run_checks
from peva_env.campaign.episode_seeds import EpisodeSeeds
from peva_env.campaign.executor import DfaasConfigExecutor
from peva_env.campaign.factories import make_generator
from peva_env.campaign.host import CampaignHost
from peva_env.campaign.live import LiveCampaigns
from peva_env.campaign.offline import chosen_scenario
from peva_env.campaign.offline_arguments import DEFAULT_BUDGET_RUNS, DEFAULT_RATES_RPS
from peva_env.campaign.offline_setup import OfflineSetup, replay_setup, replay_setups, simulated_setup
from peva_env.campaign.prefetch import PrefetchedEpisodes
from peva_env.campaign.protocols import ConfigOutcome
from peva_env.campaign.scenarios import SomeScenarios, select_scenarios, true_labels
from peva_env.campaign.scouting import Scouting, planned, scout, scouting_rates, with_known_rates, with_scouted_rates

__all__ = [
    "DEFAULT_BUDGET_RUNS",
    "DEFAULT_RATES_RPS",
    "Budget",
    "Campaign",
    "CampaignHost",
    "CampaignState",
    "Check",
    "ConfigOutcome",
    "DfaasConfigExecutor",
    "EpisodeSeeds",
    "LiveCampaigns",
    "OfflineSetup",
    "PrefetchedEpisodes",
    "Scouting",
    "SomeScenarios",
    "chosen_scenario",
    "make_generator",
    "not_idle",
    "plan_problems",
    "planned",
    "replay_setup",
    "replay_setups",
    "require_positive",
    "run_checks",
    "scout",
    "scouting_rates",
    "select_scenarios",
    "simulated_setup",
    "true_labels",
    "with_known_rates",
    "with_scouted_rates",
]
