"""What plays an episode of a dataset."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest

from peva_agents.bisection import BisectionAgent
from peva_env.config import DfaasConfig
from peva_env.datasets.behaviour import Behaviour
from peva_env.errors import ConfigError


def test_actions_that_are_too_many_to_draw_one_refuse_epsilon() -> None:
    rates = {name: list(range(91, 201)) for name in "abc"}
    env = gymnasium.make("peva_env:peva/FaasSim-v1", rates_rps=rates)
    agent = BisectionAgent(DfaasConfig(seed=0))
    Behaviour(agent, env, epsilon=0.0, seed=0)
    with pytest.raises(ConfigError, match="--epsilon: the configurations are too many to draw one"):
        Behaviour(agent, env, epsilon=0.1, seed=0)


class TakesTheLastRow:
    """Chooses among candidates: always the last one that is shown."""

    name, dominance = "last", "within_sets"

    def begin(self, campaign: Any) -> None:
        """Prepare nothing."""

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        raise AssertionError("asked for a configuration of the map")

    def choose_row(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        return int(np.flatnonzero(info["action_mask"])[-1])


def test_an_agent_that_chooses_among_candidates_is_asked_for_a_row() -> None:
    rates = {name: [0, 50, 100, 200] for name in "ab"}
    view: Any = gymnasium.make("peva_env:peva/FaasSim-v1", rates_rps=rates, view="candidates", k=8)
    behaviour = Behaviour(TakesTheLastRow(), view, epsilon=0.0, seed=0)
    observation, info = view.reset(seed=1)
    behaviour.begin(view.unwrapped)
    for _ in range(3):
        action = behaviour.act(observation, info)
        assert action == np.flatnonzero(info["action_mask"])[-1]
        observation, *_, info = view.step(action)
    assert behaviour.log_probs == [0.0] * 3
