"""How long agents take to choose, and the map to infer, on 21 x 21 x 21 configurations and on a million.

A run takes half a minute at least; what is timed here is what is lost beside it. The map is updated as a campaign does,
by all the verdicts of one from start to end; the mean of an update counts. Reference: comparing the rates of all
configurations with those of one, which is the least that inference without an index must do.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import best_of, report
from peva_agents.bisection import BisectionPolicy
from peva_agents.learnt import LearntPolicy
from peva_agents.level_set import LevelSetPolicy
from peva_env.contracts import PolicyContext
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, MonotoneMap, RateGrid
from peva_env.memory.tensors import TensorCache
from peva_env.planning import Candidates
from peva_env.sources.simulated import SimulatedWorld
from peva_env.space import ConfigSpace

_RATES = range(0, 201, 10)
_CUBE = ConfigSpace(dict.fromkeys("abc", _RATES), min_functions=3, max_functions=4)
_MILLION = ConfigSpace({name: range(100) for name in "abc"}, min_functions=3, max_functions=4)
_N_RUNS = 400


def main() -> None:
    """Print the figures of agents."""
    grid = RateGrid(_CUBE)
    middle = grid.rates_rps[:, len(_CUBE) // 2, None]
    compared_us = best_of(lambda: (grid.rates_rps >= middle).all(axis=0), repeats=50) * 1e6
    reference = ("one comparison of all rates", compared_us)
    report("MonotoneMap.update, 21^3", _update_us(grid), "us", target="< 100 us", reference=reference)
    small_ms = _choice_ms(_ready(BisectionPolicy(), _CUBE), _CUBE)
    per_ms = ("one comparison of all rates", compared_us / 1e3)
    report("bisection: a choice, 21^3", small_ms, "ms", target="< 5 ms", reference=per_ms)
    large_ms = _choice_ms(_ready(BisectionPolicy(), _MILLION), _MILLION)
    by_bisection = ("bisection, 21^3", small_ms)
    report("bisection: a choice, 100^3", large_ms, "ms", target="< 1000 ms", reference=by_bisection)
    learnt_ms = _choice_ms(_taught(_ready(LearntPolicy(), _CUBE)), _CUBE)
    report(f"learnt: a choice after {_N_RUNS} runs, 21^3", learnt_ms, "ms", target="< 150 ms", reference=by_bisection)
    learned_ms = _choice_ms(_taught(_ready(LevelSetPolicy(), _CUBE)), _CUBE)
    what = f"level_set: a choice after {_N_RUNS} runs, 21^3"
    report(what, learned_ms, "ms", target="< 150 ms", reference=by_bisection)


def _update_us(grid: RateGrid) -> float:
    """Return the mean time of an update in a campaign that asks at random until nothing is unknown."""
    total_rps = grid.rates_rps.sum(axis=0)
    order = np.random.default_rng(0).permutation(len(_CUBE))
    verdicts = _asked(grid, order, np.where(total_rps > total_rps.mean(), OVERLOADED_LABEL, OK_LABEL))

    def campaign() -> None:
        known = MonotoneMap(_CUBE, dominance="within_sets", grid=grid)
        for index, label in verdicts:
            known.enter(index, label)

    return best_of(campaign) / len(verdicts) * 1e6


def _asked(grid: RateGrid, order: NDArray[np.int64], labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    known, asked = MonotoneMap(_CUBE, dominance="within_sets", grid=grid), []
    assert known.labels is not None
    for index in order.tolist():
        if not known.labels[index]:
            asked.append((index, int(labels[index])))
            known.enter(*asked[-1])
    return asked


def _ready(policy: Any, space: ConfigSpace) -> Any:
    context = PolicyContext(space, seed=0, config={}, history=(), tensors=TensorCache(), dominance="within_sets")
    policy.setup(context)
    return policy


def _taught(policy: Any) -> Any:
    """Let a policy learn from runs on a simulated node."""
    source, rng = SimulatedWorld(dict.fromkeys("abc", _RATES), min_functions=3).source(0), np.random.default_rng(0)
    for index in rng.choice(len(_CUBE), _N_RUNS, replace=False).tolist():
        policy.update_online(source.measure(_CUBE.config(index), iteration=0, rng=rng))
    return policy


def _choice_ms(policy: Any, space: ConfigSpace) -> float:
    """Return the time of a choice after an update, which discards what the policy has fitted."""
    candidates = Candidates(space, np.arange(space.n_configs))

    def choose() -> None:
        policy.update_batch([])
        policy.choose_batch(candidates=candidates, desired_size=1)

    return best_of(choose) * 1e3
