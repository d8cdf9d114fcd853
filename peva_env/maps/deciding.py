"""The runs that would decide what the comparison of two maps leaves open."""

from dataclasses import dataclass

import numpy as np

from peva_env.inference import OK_LABEL, UNKNOWN_LABEL
from peva_env.maps.difference import MapDifference
from peva_env.planning import Candidates
from peva_env.space import Config, config_pairs

MOST_RUNS = 15
"""Upper bound of the runs of one configuration: one so near a limit that more would be needed stays undecided."""


@dataclass(frozen=True, slots=True)
class DecidingRuns:
    """Configurations to measure on the node as it is now, until each has ``iterations`` valid runs in all.

    ``n_new_runs`` is the number of runs that they lack. ``n_only_before`` counts the undecided configurations that are
    sure now, and were not before: only runs on the node as it was could decide them.
    """

    configs: tuple[Config, ...]
    iterations: int
    n_new_runs: int
    n_only_before: int


def deciding_runs(difference: MapDifference) -> DecidingRuns:
    """Return the runs on the node as it is now that would decide the undecided, and those that were OK and are unknown.

    An undecided configuration is decided by the measured configuration that speaks most for its verdict. The number of
    runs assumes that further runs have the same margins.
    """
    after, wanted, n_only_before = difference.after, dict[int, int](), 0
    space = difference.undecided.space
    for index in difference.undecided.indices.tolist():
        found = after.evidence(index)
        if found is None or found[1].is_sure(difference.level):
            n_only_before += 1
            continue
        key, evidence = found
        needed = evidence.runs_needed(difference.level) or MOST_RUNS
        wanted[space.index(config_pairs(key))] = min(MOST_RUNS, max(needed, evidence.n_runs + 1))
    unknown = ((difference.before.labels == OK_LABEL) & (after.labels == UNKNOWN_LABEL)).nonzero()[0]
    wanted |= dict.fromkeys(unknown.tolist(), max(1, after.map.iterations))
    iterations = max(wanted.values(), default=0)
    chosen = Candidates(space, np.array(sorted(wanted), np.int64))
    lacking = (max(0, iterations - after.n_runs(config)) for config in chosen)
    return DecidingRuns(tuple(chosen), iterations, sum(lacking), n_only_before)
