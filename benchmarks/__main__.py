"""Run the benchmarks that are named: ``python -m benchmarks [space memory import step ...]``.

Without a name all of them run but ``memory-million``, ``capacity`` and ``steps``, which take minutes, and ``training``,
which needs the extra ``train``.
"""

import sys

from benchmarks import (
    campaign_memory,
    import_time,
    known_capacity,
    memory_million,
    memory_speed,
    space_speed,
    step_overhead,
    training,
)

_ALL = {
    "space": space_speed.main,
    "memory": memory_speed.main,
    "import": import_time.main,
    "step": step_overhead.main,
}
_LONG = {
    "memory-million": memory_million.main,
    "capacity": known_capacity.main,
    "steps": campaign_memory.main,
    "training": training.main,
}

for name in sys.argv[1:] or _ALL:
    (_ALL | _LONG)[name]()
