"""Predicting unknown configurations: the probability of overload that an agent estimates from the runs of a map."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import ExecutionEvent, PolicyAlgorithm, PolicyContext, PredictingAgent, Verdict
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.maps.node_map import NodeMap
from peva_env.memory.tensors import TensorCache
from peva_env.planning import agent_factory
from peva_env.space import Config, ConfigSpace, config_pairs

DEFAULT_PREDICTOR = "learnt"

EVEN = 0.5
"""Probability of overload above which a configuration is predicted overloaded."""

_MOST_MEASURED = 400
"""Largest number of measured configurations that a prediction uses, the nearest: its time grows with their cube."""

_MOST_COMPARED = 64
"""Largest number of the configurations in question from which the nearest measured ones are searched."""


def predict(node_map: NodeMap, configs: Sequence[Config], agent: str = DEFAULT_PREDICTOR) -> NDArray[np.float64]:
    """Return the probability of overload of each of some configurations, (k,), 0..1.

    It is an estimate from the runs, not a proof: ``node_map.known`` holds what is proved. It is NaN where no
    measurement supports it: where it would be OK, but functions are ``never_ok``, or overloaded, but all are
    ``never_overloaded``. Of such a function the agent knows only that no load at all is OK, and that each node has a
    limit.

    Args:
        node_map: the map with its runs.
        configs: configurations of its space.
        agent: the agent that predicts; see ``peva_env.planning.plugins.agent_factory``.

    Raises:
        ConfigError: there is no such agent, or it makes no predictions.
        PolicyError: the agent failed.
    """
    overload = node_map.context.get("overload")
    settings = parse_config({"overload": overload} if isinstance(overload, dict) else {}, where="the map's context")
    predictor: Any = agent_factory(agent)(settings)
    predictor.begin(_FinishedCampaign(node_map.known, _nearest_runs(node_map, configs), settings))
    likely = predictor.predict(configs) if isinstance(predictor, PredictingAgent) else None
    if likely is None:
        raise ConfigError(f"agent {agent!r} makes no predictions; {DEFAULT_PREDICTOR!r} does")
    without_ok, without_overloaded = never_ok(node_map, configs), never_overloaded(node_map, configs)
    lacking = np.where(likely <= EVEN, list(map(bool, without_ok)), list(map(bool, without_overloaded)))
    return np.where(lacking, np.nan, likely)


def never_ok(node_map: NodeMap, configs: Sequence[Config]) -> list[list[str]]:
    """Return for each configuration its functions with load that have none in any measured OK configuration."""
    ok = _loaded(node_map, Verdict.OK)
    return [[name for name, rate in config if rate and name not in ok] for config in configs]


def never_overloaded(node_map: NodeMap, configs: Sequence[Config]) -> list[list[str]]:
    """Return for each configuration its functions with load, if none has any in a measured overloaded configuration.

    Of a configuration without load: all its functions, if no measured configuration without load is overloaded.
    """
    overloaded = _loaded(node_map, Verdict.OVERLOADED)
    is_idle_overloaded = any(not any(rate for _, rate in one) for one in _measured(node_map, Verdict.OVERLOADED))

    def lacking(config: Config) -> list[str]:
        loaded = [name for name, rate in config if rate]
        if loaded:
            return [] if overloaded.intersection(loaded) else loaded
        return [] if is_idle_overloaded else [name for name, _ in config]

    return list(map(lacking, configs))


def _loaded(node_map: NodeMap, verdict: Verdict) -> set[str]:
    """Return the functions that have load in the measured configurations of a verdict."""
    return {name for config in _measured(node_map, verdict) for name, rate in config if rate}


def _measured(node_map: NodeMap, verdict: Verdict) -> list[Config]:
    return [config_pairs(key) for key, found in node_map.known.measured.items() if found is verdict]


@dataclass(frozen=True, slots=True)
class _FinishedCampaign:
    """A finished campaign as an agent sees it: the agent only predicts, it measures nothing."""

    known: MonotoneMap
    history: Sequence[ExecutionEvent]
    settings: DfaasConfig

    def policy_context(self) -> PolicyContext:
        return PolicyContext(
            space=self.known.space,
            seed=self.settings.seed,
            config=self.settings.model_dump(mode="json"),
            history=self.history,
            tensors=TensorCache(),
            dominance=self.known.dominance,
        )

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Do nothing: without a measurement there is no update of a policy."""


def _nearest_runs(node_map: NodeMap, configs: Sequence[Config]) -> Sequence[ExecutionEvent]:
    """Return the runs of the measured configurations nearest to some others, by shares of the highest rates."""
    runs = node_map.runs
    if len(runs) <= _MOST_MEASURED:
        return node_map.events
    measured = _shares(node_map.known.space, map(config_pairs, runs))
    some = np.unique(np.linspace(0, len(configs) - 1, _MOST_COMPARED).astype(int))
    distance = np.full(len(measured), np.inf)
    for one in _shares(node_map.known.space, (configs[int(index)] for index in some)):
        distance = np.minimum(distance, np.abs(measured - one).sum(axis=1))
    keys = list(runs)
    return [run for index in np.argsort(distance, kind="stable")[:_MOST_MEASURED] for run in runs[keys[index]]]


def _shares(space: ConfigSpace, configs: Iterable[Config]) -> NDArray[np.float64]:
    """Return the rates of configurations as shares of each function's highest, (k, F); 0 for an absent one."""
    highest_rps = np.array([max(rates[-1], 1) for rates in space.rates_rps], np.float64)
    return space.rates_of(configs) / highest_rps
