"""How fast a configuration is found in spaces that nobody could enumerate.

Reference: walking ``itertools.product`` to the same place, which is what a plan that is a list must do once.
"""

import random
from itertools import islice, product

from benchmarks.timing import best_of, report
from peva_env.contracts import DfaasRunContext
from peva_env.planning import CartesianScheduler
from peva_env.space import ConfigSpace

_CALLS = 2000
_RATES = range(0, 201, 10)


def main() -> None:
    """Print the figures of the configuration space."""
    huge = ConfigSpace({f"f{i:02}": _RATES for i in range(20)}, min_functions=20, max_functions=21)
    assert huge.n_configs == 21**20
    pick = random.Random(0)
    indices = [pick.randrange(huge.n_configs) for _ in range(_CALLS)]
    configs = [huge.config(index) for index in indices]
    walk_us = best_of(lambda: next(islice(product(_RATES, repeat=20), 10**5, None))) * 1e6
    to_config_us = best_of(lambda: [huge.config(index) for index in indices]) / _CALLS * 1e6
    to_index_us = best_of(lambda: [huge.index(config) for config in configs]) / _CALLS * 1e6
    reference = ("product walked to index 10^5 only", walk_us)
    report("index to configuration, 21^20", to_config_us, "us", target="< 20 us", reference=reference)
    report("configuration to index, 21^20", to_index_us, "us", reference=reference)

    billion = ConfigSpace({name: range(1000) for name in "abc"}, min_functions=3, max_functions=4)
    assert billion.n_configs == 10**9
    first_batch_ms = best_of(lambda: _first_batch(billion)) * 1e3
    listed_ms = best_of(lambda: list(product(range(100), repeat=3))) * 1e3
    reference = ("a list of 10^6 configurations", listed_ms)
    report("first batch of 100 from 10^9", first_batch_ms, "ms", target="< 5 ms", reference=reference)


def _first_batch(space: ConfigSpace) -> None:
    batch = CartesianScheduler().propose_batch(ctx=DfaasRunContext(configs=space), desired_size=100)
    assert len(batch) == 100
