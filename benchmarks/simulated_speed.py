"""How fast simulated episodes begin and are measured, side by side.

Reference: the same measurements one by one, as events.
"""

import numpy as np

from benchmarks.timing import best_of, report
from peva_env.sources.simulated import SimulatedWorld

_EPISODES = 1024
_FRESH = 20  # of them that begin anew in a step, about
_RATES = range(0, 201, 10)


def main() -> None:
    """Print the figures of simulated episodes, of two functions on random nodes."""
    world = SimulatedWorld({"a": _RATES, "b": _RATES}, "random")
    seeds, scenarios = np.arange(_EPISODES, dtype=np.uint64), np.zeros(_EPISODES, np.int64)
    indices = np.random.default_rng(0).integers(0, world.space().n_configs, _EPISODES)
    episodes, one = world.begin(seeds, scenarios), world.begin(seeds[:1], scenarios[:1])
    source, rng = world.source(0), np.random.default_rng(0)
    configs = [world.space().config(index) for index in indices.tolist()]
    events_us = best_of(lambda: [source.measure(config, iteration=0, rng=rng) for config in configs], repeats=2) * 1e6
    together_us = best_of(lambda: episodes.outcomes(indices), repeats=200) * 1e6
    report("1,024 runs, each in an episode of its own", together_us, "us", reference=("as events", events_us))
    table = np.arange(441)
    report("441 runs in one episode", best_of(lambda: one.outcomes(table), repeats=200) * 1e6, "us", target="< 500 us")
    begin_us = best_of(lambda: world.begin(seeds[:_FRESH], scenarios[:_FRESH]), repeats=200) * 1e6
    report("20 episodes begun", begin_us, "us", target="< 1000 us")
