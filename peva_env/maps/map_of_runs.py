"""The map that follows from runs: by which rule, and what of it stays contradicted."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.inference import MonotoneMap
from peva_env.rules import majority
from peva_env.space import ConfigKey, ConfigSpace, Dominance, config_key, config_pairs

type Runs = Mapping[ConfigKey, Sequence[ExecutionEvent]]
"""The valid runs of each measured configuration."""

RULES: tuple[Dominance, ...] = ("one_sided", "within_sets", "two_sided")
"""The weakest first."""


def infer(space: ConfigSpace, runs: Runs, rule: Dominance, recorded: NDArray[np.bool_] | None = None) -> MonotoneMap:
    """Return the map on which the majority of each configuration's runs is entered.

    What contradicts another one, and was run twice as often as the others, is in quarantine: a campaign runs it again
    just so often.

    Args:
        space: the configurations; all that have runs are in it.
        runs: what was measured.
        rule: how verdicts are inferred.
        recorded: (N,), which configurations count; all without.
    """
    known = MonotoneMap(space, dominance=rule, recorded=recorded)
    known.update_all({key: majority(run.verdict for run in own) for key, own in runs.items()})
    disputed = known.disputed()
    if disputed:
        asked = runs_asked_for(known, runs)
        known.quarantine(*(config for config in disputed if len(runs[config_key(config)]) >= 2 * asked))
    return known


def runs_asked_for(known: MonotoneMap, runs: Runs) -> int:
    """Return how many valid runs a configuration was to have: the most that one has that nothing contradicts.

    What is contradicted was run again. Where all are, it is the fewest that one has; 0 where there is no run.
    """
    pairs = ((one.overloaded, one.ok) for one in known.disputes() if one.state != "settled")
    disputed = {config_key(config) for pair in pairs for config in pair}
    undisputed = [len(own) for key, own in runs.items() if key not in disputed]
    return max(undisputed) if undisputed else min(map(len, runs.values()), default=0)


def weakest_rule(space: ConfigSpace, runs: Runs, inferred: Mapping[ConfigKey, Verdict]) -> Dominance:
    """Return the rule by which most of what campaigns inferred follows: the weakest, where several are as good."""
    sets = {names for names, _ in (*runs, *inferred)}
    if len(sets) == 1 and Verdict.OK not in inferred.values():  # all that is upwards within one set of functions
        return RULES[0]
    return max(RULES, key=lambda rule: _n_explained(infer(space, runs, rule), inferred))


def _n_explained(known: MonotoneMap, inferred: Mapping[ConfigKey, Verdict]) -> int:
    configs = ((config_pairs(key), verdict) for key, verdict in inferred.items())
    return sum(known.verdict(config) is verdict for config, verdict in configs if config in known.space)
