"""What every agent must do.

For an agent of your own, in a test file::

    from peva_env.testing import AgentContract

    class TestMyAgent(AgentContract):
        def make(self):
            return MyAgent()

Unchecked: how well the agent chooses and how long it takes, whether it goes on with a campaign that was stopped, spaces
too large for an action mask, more than two functions, and live nodes.
"""

# ruff: noqa: S101

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from peva_env.contracts import Agent, EndStatus, PredictingAgent, SpaceBoundAgent
from peva_env.env import PevaEnv
from peva_env.make import make_sim_env
from peva_env.space import Dominance

_RATES_RPS = [0, 40, 80, 120, 160, 200]
_SEED = 1

type _BeforeAct = Callable[[Agent, PevaEnv], None]


def _nothing(agent: Agent, env: PevaEnv) -> None:
    """Do nothing before an action."""


class AgentContract:
    """The behaviour of an ``Agent``: override ``make``, and ``env`` if the agent is for other spaces.

    Set ``deterministic = False`` for an agent that draws from a generator without a seed.
    """

    deterministic = True

    def make(self) -> Agent:
        """Return a new agent; two of them must act the same in the same campaign, if ``deterministic``."""
        raise NotImplementedError

    def env(self, dominance: str) -> PevaEnv:
        """Return an environment that the agent can act in: a simulated node with two functions of six rates each."""
        env: PevaEnv = make_sim_env(
            rates_rps={"a": _RATES_RPS, "b": _RATES_RPS}, min_functions=1, dominance=dominance, budget_runs=None
        )
        return env

    def test_it_has_a_name_and_a_kind_of_dominance(self) -> None:
        agent = self.make()
        assert isinstance(agent.name, str)
        assert agent.name
        assert agent.dominance in get_args(Dominance.__value__)

    def test_it_accepts_the_space_of_its_environment(self) -> None:
        agent = self.make()
        if isinstance(agent, SpaceBoundAgent):
            agent.require_space(self.env(agent.dominance).space)

    def test_it_asks_for_actions_of_the_environment_until_the_campaign_ends(self) -> None:
        agent = self.make()
        env = self.env(agent.dominance)
        actions = _played(agent, env)
        assert actions
        assert env.status in (EndStatus.COMPLETE, EndStatus.STOPPED)

    def test_it_plays_a_second_campaign_of_the_same_environment(self) -> None:
        agent = self.make()
        env = self.env(agent.dominance)
        _played(agent, env)
        assert _played(agent, env, seed=_SEED + 1)

    def test_it_leaves_observation_and_info_as_they_are(self) -> None:
        agent = self.make()
        env = self.env(agent.dominance)
        observation, info = env.reset(seed=_SEED)
        mask, before = info["action_mask"].copy(), {name: value.copy() for name, value in observation.items()}
        agent.begin(env)
        agent.act(observation, info)
        assert np.array_equal(info["action_mask"], mask)
        assert all(np.array_equal(observation[name], value) for name, value in before.items())

    def test_two_agents_act_the_same_in_the_same_campaign(self) -> None:
        if self.deterministic:
            assert self._actions() == self._actions()

    def test_predictions_are_a_probability_for_each_configuration(self) -> None:
        def check(agent: Agent, env: PevaEnv) -> None:
            for configs in (list(env.space), []):
                likely = agent.predict(configs) if isinstance(agent, PredictingAgent) else None
                if likely is not None:
                    assert likely.shape == (len(configs),)
                    assert ((likely >= 0) & (likely <= 1)).all()

        self._actions(before_act=check)

    def test_a_prediction_does_not_change_what_is_asked_for_next(self) -> None:
        def predict(agent: Agent, env: PevaEnv) -> None:
            if isinstance(agent, PredictingAgent):
                agent.predict(list(env.space))

        if self.deterministic:
            assert self._actions(before_act=predict) == self._actions()

    def _actions(self, *, before_act: _BeforeAct = _nothing) -> list[Any]:
        agent = self.make()
        return _played(agent, self.env(agent.dominance), before_act=before_act)


def _played(agent: Agent, env: PevaEnv, *, seed: int = _SEED, before_act: _BeforeAct = _nothing) -> list[Any]:
    """Play a campaign to its end and return the actions."""
    observation, info = env.reset(seed=seed)
    actions: list[Any] = []
    done = False
    with env.recording():
        agent.begin(env)
        while not done:
            before_act(agent, env)
            action = agent.act(observation, info)
            if action is None:
                break
            assert env.action_space.contains(np.asarray(action, np.int64))
            assert len(actions) < 4 * env.space.n_configs, "the agent asks for what is known, again and again"
            actions.append(int(action))
            observation, _, terminated, truncated, info = env.step(action)
            done = terminated or truncated
        env.end(EndStatus.STOPPED if env.known.n_unknown else EndStatus.COMPLETE)
    return actions
