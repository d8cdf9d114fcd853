"""The map that follows from runs: which dominance it uses, and which contradictions remain in quarantine."""

from collections.abc import Mapping, Sequence
from statistics import multimode

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.rules import majority
from peva_env.space import ConfigKey, ConfigSpace, Dominance, config_key, config_pairs

type RunsByConfig = Mapping[ConfigKey, Sequence[ExecutionEvent]]
"""The valid runs of each measured configuration."""

DOMINANCE_RULES: tuple[Dominance, ...] = ("one_sided", "within_sets", "two_sided")
"""How verdicts can be inferred, the weakest rule first."""


def map_of_runs(
    space: ConfigSpace,
    runs: RunsByConfig,
    rule: Dominance,
    recorded: NDArray[np.bool_] | None = None,
    *,
    is_uneven: bool = False,
    doubts: bool = False,
) -> MonotoneMap:
    """Return the map in which each configuration has the majority verdict of its runs.

    A configuration that contradicts another goes into quarantine if it has at least twice the expected number of runs:
    a campaign repeats a contradicted configuration that often.

    Args:
        space: the configurations; all that have runs are in it.
        runs: the valid runs.
        rule: how verdicts are inferred.
        recorded: (N,), which configurations count; None for all.
        is_uneven: whether some configurations were run more often than was asked for all.
        doubts: whether contradictions are searched for under one-sided dominance, too.
    """
    known = MonotoneMap(space, dominance=rule, recorded=recorded, doubts=doubts)
    known.update_all({key: majority(run.verdict for run in own) for key, own in runs.items()})
    disputed = known.disputed()
    if disputed:
        asked = expected_runs(known, runs, is_uneven=is_uneven)
        known.quarantine(*(config for config in disputed if len(runs[config_key(config)]) >= 2 * asked))
    return known


def expected_runs(known: MonotoneMap, runs: RunsByConfig, *, is_uneven: bool = False) -> int:
    """Return the expected valid runs of a configuration: the largest number of valid runs of any undisputed one.

    Where some were run more often than was asked for all, it is the most common number.

    A disputed configuration was run again, so it does not count. If all are disputed, the smallest number counts; 0
    without runs.
    """
    pairs = ((one.overloaded, one.ok) for one in known.disputes() if one.state != "settled")
    disputed = {config_key(config) for pair in pairs for config in pair}
    undisputed = [len(own) for key, own in runs.items() if key not in disputed]
    if is_uneven and undisputed:
        return min(multimode(undisputed))
    return max(undisputed) if undisputed else min(map(len, runs.values()), default=0)


def weakest_dominance(space: ConfigSpace, runs: RunsByConfig, inferred: Mapping[ConfigKey, Verdict]) -> Dominance:
    """Return the dominance that reproduces most of the inferred verdicts; of equally good ones the weakest."""
    sets = {names for names, _ in (*runs, *inferred)}
    if len(sets) == 1 and Verdict.OK not in inferred.values():  # only upwards, and within one set of functions
        return DOMINANCE_RULES[0]
    return max(DOMINANCE_RULES, key=lambda rule: _n_explained(map_of_runs(space, runs, rule), inferred))


def _n_explained(known: MonotoneMap, inferred: Mapping[ConfigKey, Verdict]) -> int:
    configs = ((config_pairs(key), verdict) for key, verdict in inferred.items())
    return sum(known.verdict(config) is verdict for config, verdict in configs if config in known.space)
