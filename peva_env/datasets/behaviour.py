"""Behaviour policies of a dataset: which action an episode takes, and with which probability it takes it."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Agent, CampaignView, CandidateAgent
from peva_env.errors import ConfigError
from peva_env.planning import LegalOnly
from peva_env.space import Config

_EVEN = "uniform"
"""The name of the agent that draws all legal actions with the same probability."""


class Behaviour:
    """Plays the legal actions of an agent, and with probability ``epsilon`` one of all legal actions, drawn evenly.

    ``log_probs`` holds the natural logarithm of the probability of each action that was taken, given the state, the
    agent and its seed: ``uniform`` draws evenly, every other agent counts as deterministic. In a space without indices
    of configurations (``MultiDiscrete``) an agent acts by itself, and ``log_probs`` stays empty.

    In the candidate view a ``CandidateAgent``, such as a model that sees candidates, chooses among the rows that are
    shown. Other agents choose among all configurations; the action is the candidate that is nearest to the choice,
    which is the choice itself if it is shown.

    Args:
        agent: any agent.
        env: the environment that it plays on.
        epsilon: probability of an action that is drawn evenly.
        seed: seed of the draws.

    Raises:
        ConfigError: ``epsilon`` is above 0, and the actions are too many to draw one.
    """

    def __init__(self, agent: Agent, env: gymnasium.Env[Any, Any], *, epsilon: float, seed: int) -> None:
        self.name = agent.name
        self.dominance = agent.dominance
        self.log_probs: list[float] = []
        self._agent, self._base = agent, env.unwrapped
        self._is_view = env.observation_space != self._base.observation_space
        self._config_of_row = env.get_wrapper_attr("config") if self._is_view else None
        self._draws = isinstance(env.action_space, gymnasium.spaces.Discrete)
        if epsilon and not self._draws:
            raise ConfigError(
                "--epsilon: the configurations are too many to draw one of all legal actions; give fewer rates, or "
                "--view candidates"
            )
        is_dense = isinstance(self._base.action_space, gymnasium.spaces.Discrete)
        self._legal_agent: Any = LegalOnly(agent) if is_dense else agent
        self._epsilon = 1.0 if agent.name == _EVEN else epsilon
        self._rng = np.random.default_rng(seed)

    def begin(self, campaign: CampaignView) -> None:
        """Let the agent begin a campaign."""
        self._agent.begin(campaign)
        self.log_probs = []
        self._passed_over: list[Any] = []

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the next action, or None if the agent has no more actions."""
        if not self._draws:
            return self._legal_agent.act(observation, info)
        legal = np.flatnonzero(info["action_mask"])
        if not legal.size:
            return None
        choice = None
        if self._epsilon < 1:
            choice = self._choice(observation, info, legal)
            if choice is None:
                return None
        action = choice if self._rng.random() >= self._epsilon else int(self._rng.choice(legal))
        probability = self._epsilon / legal.size + (1 - self._epsilon) * (action == choice)
        self.log_probs.append(float(np.log(probability)))
        return action

    def _choice(self, observation: Any, info: Mapping[str, Any], legal: NDArray[np.int64]) -> int | None:
        """Return the agent's choice as an action of the environment; when it has none, one that was not taken."""
        if self._is_view and isinstance(self._agent, CandidateAgent):
            return self._agent.choose_row(observation, info)
        if self._is_view:
            info = {**info, "action_mask": self._base.action_masks()}  # type: ignore[attr-defined]
        choice = self._legal_agent.act(observation, info)
        if choice is None:
            choice = next((one for one in self._passed_over if info["action_mask"][one]), None)
        elif isinstance(self._base.action_space, gymnasium.spaces.Discrete):
            self._passed_over.append(choice)  # an even draw may be taken in its place
        if choice is None or not self._is_view:
            return None if choice is None else int(choice)
        return self._nearest(self._base.config(choice), legal)  # type: ignore[attr-defined]

    def _nearest(self, config: Config, rows: NDArray[np.int64]) -> int:
        assert self._config_of_row is not None  # noqa: S101 - it is a view
        space = self._base.space  # type: ignore[attr-defined]
        shown = space.rates_of([self._config_of_row(int(row)) for row in rows])
        highest = np.array([max(rates) for rates in space.rates_rps])
        distances = np.abs((shown - space.rates_of([config])) / np.maximum(highest, 1)).sum(axis=1)
        return int(rows[distances.argmin()])
