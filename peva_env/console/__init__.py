"""What a campaign looks like in a terminal: its plan, its progress, its verdicts, and the overload map."""

from peva_env.console.disputes import print_disputes
from peva_env.console.overload_map import print_map
from peva_env.console.plan import print_plan
from peva_env.console.progress import Progress
from peva_env.console.text import config_text, duration_text, make_console, say
from peva_env.console.verdicts import print_verdicts

__all__ = [
    "Progress",
    "config_text",
    "duration_text",
    "make_console",
    "print_disputes",
    "print_map",
    "print_plan",
    "print_verdicts",
    "say",
]
