"""The output of the command line in a terminal: plan, progress, verdicts, overload map, answers and memories."""

from peva_env.console.answer import print_answer
from peva_env.console.capacity import print_capacities
from peva_env.console.difference import print_context_changes, print_deciding_runs, print_difference
from peva_env.console.disputes import print_disputes
from peva_env.console.limits import print_limits
from peva_env.console.memory import print_import, print_memory
from peva_env.console.output import complain, guard_output, tell_warnings, write
from peva_env.console.overload_map import map_text, print_map
from peva_env.console.plan import print_plan
from peva_env.console.progress import CampaignProgress
from peva_env.console.recheck import print_recheck
from peva_env.console.refining import print_refined_limits
from peva_env.console.scouting import ScoutProgress, print_steps
from peva_env.console.table import print_table
from peva_env.console.text import confidence_text, config_text, duration_text, make_console, offer, print_notes, say
from peva_env.console.trend import print_trend
from peva_env.console.twin import print_twin
from peva_env.console.verdicts import print_verdicts

__all__ = [
    "CampaignProgress",
    "ScoutProgress",
    "complain",
    "confidence_text",
    "config_text",
    "duration_text",
    "guard_output",
    "make_console",
    "map_text",
    "offer",
    "print_answer",
    "print_capacities",
    "print_context_changes",
    "print_deciding_runs",
    "print_difference",
    "print_disputes",
    "print_import",
    "print_limits",
    "print_map",
    "print_memory",
    "print_notes",
    "print_plan",
    "print_recheck",
    "print_refined_limits",
    "print_steps",
    "print_table",
    "print_trend",
    "print_twin",
    "print_verdicts",
    "say",
    "tell_warnings",
    "write",
]
