"""What plays an episode of a dataset."""

import gymnasium
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
