"""How likely configurations are to be overloaded that nothing proves, as an agent has it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import ExecutionEvent, PolicyAlgorithm, PolicyContext, PredictingAgent
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.maps.node_map import NodeMap
from peva_env.memory.tensors import TensorCache
from peva_env.planning import agent_factory
from peva_env.space import Config, ConfigSpace, config_pairs

DEFAULT_PREDICTOR = "learnt"

_MOST_MEASURED = 400
"""So many measured configurations are taken into account, the nearest ones: the time taken grows with their cube."""

_MOST_COMPARED = 64
"""So many of the configurations in question are asked what is near them."""


def predict(node_map: NodeMap, configs: Sequence[Config], agent: str = DEFAULT_PREDICTOR) -> NDArray[np.float64]:
    """Return how likely each of some configurations (k,) of a map is to be overloaded, 0..1.

    It is an estimate from what was measured, not a proof: ``node_map.known`` says what is proved.

    Args:
        node_map: what is known.
        configs: of its space.
        agent: whose estimate it is: see ``peva_env.planning.plugins.agent_factory``.

    Raises:
        ConfigError: there is no such agent, or it predicts nothing.
        PolicyError: the agent failed.
    """
    overload = node_map.context.get("overload")
    settings = parse_config({"overload": overload} if isinstance(overload, dict) else {}, where="the map's context")
    predictor: Any = agent_factory(agent)(settings)
    predictor.begin(_Remembered(node_map.known, _nearest_runs(node_map, configs), settings))
    likely = predictor.predict(configs) if isinstance(predictor, PredictingAgent) else None
    if likely is None:
        raise ConfigError(f"agent {agent!r} predicts nothing; one that does is {DEFAULT_PREDICTOR!r}")
    return likely


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A campaign as an agent sees it that is asked what it thinks of one, and is not to go on with it."""

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
        """Nothing will be measured that a policy could be told of."""


def _nearest_runs(node_map: NodeMap, configs: Sequence[Config]) -> Sequence[ExecutionEvent]:
    """Return the runs of the configurations that were measured nearest to some others, by shares of highest rates."""
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
    rates_rps = [[rates.get(name, 0) for name in space.functions] for rates in map(dict, configs)]
    return np.array(rates_rps, np.float64) / highest_rps
