"""What functions whose processes run on this machine use, measured by the operating system.

What must always hold:

- A counter of CPU or waiting time never falls, although processes start and end.
- What cannot be read is None, never 0.
"""

from peva_env.platforms.processes.members import Members, group_members
from peva_env.platforms.processes.sampler import MIN_WINDOW_S, UsageSampler

__all__ = ["MIN_WINDOW_S", "Members", "UsageSampler", "group_members"]
