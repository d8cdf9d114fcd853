"""The settings of trainings and arenas; the options of ``peva-env train`` and ``peva-env arena`` are made from them.

They are here and not in ``peva_agents``, because the command line needs them for its help, and ``peva_env`` never
imports ``peva_agents``.

What must always hold: a field is an option unless ``NO_OPTION`` marks it, and its description is the option's help.
"""

from peva_env.config.offline.arena import ArenaConfig
from peva_env.config.offline.option import NO_OPTION, CommandOption
from peva_env.config.offline.texts import parse_names, parse_rates
from peva_env.config.offline.training import TEACHERS, TrainingConfig

__all__ = ["NO_OPTION", "TEACHERS", "ArenaConfig", "CommandOption", "TrainingConfig", "parse_names", "parse_rates"]
