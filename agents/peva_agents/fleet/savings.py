"""What a node's campaign would have cost without the measurements of other nodes: a replay on its finished map.

The agent plays once more on the map that is now known, with nothing from elsewhere, and is told the verdicts of that
map. Its number of configurations is then exact, for the verdicts are. What else a run measures is known for measured
configurations only. For an inferred one it is that of the nearest measured configuration with the same verdict; an
overloaded function serves as many requests there as it did at the measured rate.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from peva_env.contracts import (
    ExecutionEvent,
    FunctionMeasurement,
    PolicyAlgorithm,
    PolicyContext,
    PreparedPolicy,
    Verdict,
)
from peva_env.inference import UNKNOWN_LABEL, MonotoneMap
from peva_env.memory.tensors import TensorCache
from peva_env.planning import Candidates
from peva_env.space import Config, ConfigKey, config_key

MAX_CONFIGS = 5000
"""Largest map that is played once more; a choice among more takes too long."""


def n_measured_alone(policy: PolicyAlgorithm, known: MonotoneMap, runs: Sequence[ExecutionEvent]) -> int:
    """Return how many configurations a policy measures until it knows all of a map that is known.

    Args:
        policy: as new; it is set up here.
        known: a complete map.
        runs: valid runs of its campaign.
    """
    space, told = known.space, _Told(known, runs)
    replayed = MonotoneMap(space, dominance=known.dominance, recorded=known.recorded)
    if isinstance(policy, PreparedPolicy):
        policy.setup(PolicyContext(space, None, {}, (), TensorCache(), known.dominance))
    n_measured = 0
    while replayed.n_unknown:
        labels = replayed.labels
        assert labels is not None  # noqa: S101 - MAX_CONFIGS is far below what can be listed
        unknown = np.flatnonzero(labels == UNKNOWN_LABEL)
        if replayed.recorded is not None:
            unknown = unknown[replayed.recorded[unknown]]
        (config,) = policy.choose_batch(candidates=Candidates(space, unknown), desired_size=1)
        own = told(list(config))
        replayed.update(own[0].config_pairs, told.verdict(list(config)))
        policy.update_batch(own)
        n_measured += 1
    return n_measured


class _Told:
    """Answers the runs of any configuration of a known map."""

    def __init__(self, known: MonotoneMap, runs: Sequence[ExecutionEvent]) -> None:
        self._known = known
        self._runs: dict[ConfigKey, list[ExecutionEvent]] = {}
        for run in runs:
            self._runs.setdefault(run.config_key, []).append(run)

    def verdict(self, config: Config) -> Verdict:
        verdict = self._known.verdict(config)
        assert verdict is not None  # noqa: S101 - the map is complete
        return verdict

    def __call__(self, config: Config) -> list[ExecutionEvent]:
        own, verdict = self._runs.get(config_key(config)), self.verdict(config)
        if own is not None:
            return own
        alike = [run for same in self._runs.values() for run in same if run.verdict is verdict]
        nearest = min(alike, key=lambda run: _distance(config, run.config_pairs), default=None)
        return [_moved(nearest, config) if nearest else ExecutionEvent(config_key(config), 0, verdict)]


def _distance(config: Config, other: Config) -> tuple[int, float]:
    """Return how many functions only one of two configurations has, and how far their rates are apart."""
    one, two = dict(config), dict(other)
    shared = one.keys() & two.keys()
    return len(one.keys() ^ two.keys()), sum(abs(np.log((1 + one[name]) / (1 + two[name]))) for name in shared)


def _moved(run: ExecutionEvent, config: Config) -> ExecutionEvent:
    """Return a run as if it had been one of another configuration."""
    measured = {function.name: function for function in run.functions}
    functions = tuple(
        _at(measured.get(name, run.functions[0]), name, rate_rps) for name, rate_rps in sorted(config) if run.functions
    )
    return replace(run, config_key=config_key(config), functions=functions)


def _at(function: FunctionMeasurement, name: str, rate_rps: int) -> FunctionMeasurement:
    served = min(1.0, function.success_rate * function.rate_rps / rate_rps) if rate_rps else 1.0
    success = served if function.success_rate < 1 else function.success_rate
    return replace(function, name=name, rate_rps=rate_rps, success_rate=success)
