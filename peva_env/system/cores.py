"""The cores of this machine."""

import os
import sys


def usable_cores() -> int:
    """Return the number of cores that this process and its children may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
