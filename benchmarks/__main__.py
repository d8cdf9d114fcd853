"""Run the benchmarks that are named, or all of them: ``python -m benchmarks [space memory step import]``."""

import sys

from benchmarks import import_time, memory_speed, space_speed, step_overhead

_ALL = {
    "space": space_speed.main,
    "memory": memory_speed.main,
    "import": import_time.main,
    "step": step_overhead.main,
}

for name in sys.argv[1:] or _ALL:
    _ALL[name]()
