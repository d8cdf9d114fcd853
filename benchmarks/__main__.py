"""Run the benchmarks that are named, of the ones below: ``python -m benchmarks space memory``.

Without a name all of them run but the last three, which take minutes.
"""

import sys

from benchmarks import (
    campaign_memory,
    import_time,
    known_capacity,
    memory_million,
    memory_speed,
    simulated_speed,
    space_speed,
    step_overhead,
)

_ALL = {
    "space": space_speed.main,
    "memory": memory_speed.main,
    "import": import_time.main,
    "step": step_overhead.main,
    "simulated": simulated_speed.main,
}
_LONG = {
    "memory-million": memory_million.main,
    "capacity": known_capacity.main,
    "steps": campaign_memory.main,
}

for name in sys.argv[1:] or _ALL:
    (_ALL | _LONG)[name]()
