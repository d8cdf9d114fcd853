"""A simulated node as a world of offline episodes; its true frontier is known."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from peva_env.config import OverloadConfig, explain_problem
from peva_env.errors import ConfigError
from peva_env.sources.episodes import Indices, Seeds, hashed
from peva_env.sources.simulated.config_table import ConfigTable
from peva_env.sources.simulated.episodes import MOST_NOISE, RUN_DRAWS, RunSettings, SimulatedEpisodes
from peva_env.sources.simulated.node_model import Nodes
from peva_env.sources.simulated.node_spec import build_node, parse_node
from peva_env.sources.simulated.random_nodes import draw_nodes, require_room
from peva_env.sources.simulated.source import SimulatedSource
from peva_env.space import ConfigSpace

_RANGES = {
    "noise": (0.0, MOST_NOISE),
    "duration_s": (1.0, 86_400.0),
    "cooldown_s": (0.0, 86_400.0),
    "timeout_s": (0.1, 3_600.0),
}


class SimulatedWorld:
    """Episodes on a simulated node: a given node, or a new random node for each episode.

    Args:
        rates_rps: rates of each function in requests per second.
        node: ``"random"``, the name of a preset (``"local"``), or plain data as
            ``peva_env.sources.simulated.node_spec`` has it, or the path of a ``.json`` file of it.
            Functions of the node without rates are not deployed.
        min_functions: the smallest number of functions in a configuration.
        max_functions: exclusive upper bound of that number; by default one more than the number of functions.
        noise: standard deviation of the relative slowness of a run.
        duration_s: length of a run.
        cooldown_s: cooldown before a run; part of its cost.
        timeout_s: the load generator's timeout of a request.
        rules: thresholds of overload that differ from the defaults.

    Raises:
        ConfigError: a value is wrong; the message is one line that names it.
    """

    def __init__(
        self,
        rates_rps: Mapping[str, Iterable[int]],
        node: Mapping[str, Any] | str = "random",
        *,
        min_functions: int = 1,
        max_functions: int | None = None,
        noise: float = 0.03,
        duration_s: float = 30.0,
        cooldown_s: float = 5.0,
        timeout_s: float = 5.0,
        rules: Mapping[str, Any] | None = None,
    ) -> None:
        numbers = {"noise": noise, "duration_s": duration_s, "cooldown_s": cooldown_s, "timeout_s": timeout_s}
        for key, value in numbers.items():
            _require_range(key, value)
        most = len(rates_rps) + 1 if max_functions is None else max_functions
        try:
            space = ConfigSpace(rates_rps, min_functions=min_functions, max_functions=most)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"rates_rps: {error}") from error
        self._settings = RunSettings(
            space=space, table=ConfigTable.of(space), rules=_parse_rules(rules or {}, space.functions), **numbers
        )
        self._highest_rps = [rates[-1] for rates in space.rates_rps]
        self._node: Nodes | None = None
        if node == "random":
            require_room(self._highest_rps, timeout_s)
        else:
            self._node = build_node(parse_node(node), space.functions)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The one scenario."""
        return ("simulated",)

    def space(self, scenario: int = 0) -> ConfigSpace:  # noqa: ARG002 - the only scenario
        """Return the configurations."""
        return self._settings.space

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return an array of true, (n, N): every configuration can be measured."""
        return np.ones((len(scenarios), self._settings.space.n_configs), np.bool_)

    def begin(self, seeds: Seeds, scenarios: Indices) -> SimulatedEpisodes:  # noqa: ARG002 - the only scenario
        """Begin an episode for each seed (n,)."""
        nodes = self._node or draw_nodes(seeds, self._highest_rps, self._settings.timeout_s)
        return SimulatedEpisodes(self._settings, nodes, hashed(seeds, RUN_DRAWS))

    def truth(self, seed: int, scenario: int = 0) -> NDArray[np.int8]:
        """Return the labels without noise in one episode, (N,)."""
        episode = self.begin(np.array([seed], np.uint64), np.array([scenario]))
        return episode.truth(np.arange(self._settings.space.n_configs))

    def source(self, seed: int, scenario: int = 0) -> SimulatedSource:
        """Return the measurement source of one episode."""
        return SimulatedSource(self.begin(np.array([seed], np.uint64), np.array([scenario])))


def _require_range(key: str, value: float) -> None:
    low, high = _RANGES[key]
    if not low <= value <= high:  # NaN is refused too
        raise ConfigError(f"{key} = {value}: must be from {low:g} to {high:g}")


def _parse_rules(rules: Mapping[str, Any], functions: Sequence[str]) -> OverloadConfig:
    try:
        parsed = OverloadConfig.model_validate(rules)
    except ValidationError as error:
        raise ConfigError(f"overload.{explain_problem(error.errors()[0], OverloadConfig)}") from error
    for name in parsed.functions:
        if name not in functions:
            raise ConfigError(f"overload.functions.{name}: there is no such function, only {', '.join(functions)}")
    return parsed
