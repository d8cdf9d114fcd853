"""Campaigns as choices among a few candidates: what the correction of the learnt agent is trained on.

Whatever space a campaign has, an action is one of ``K`` candidates, and the observation tells of each the same few
numbers. So one small network, which scores a candidate by its numbers, serves all spaces.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import N_INPUTS, Networks
from peva_agents.learnt import LearntPolicy
from peva_env.campaign import OfflineParts
from peva_env.env import PevaEnv
from peva_env.objectives import Step
from peva_env.planning import Candidates

type Floats32 = NDArray[np.float32]

_RUN_COST = 0.1
"""What a run costs, in runs that are made while nothing is known."""

_SHARE_BY_CHANCE = 0.25
"""Of the candidates that are shown so many are drawn by chance, the others are those with the highest score."""

_N_SEEDS = 2**31


class EarlyObjective:
    """Takes for each run the share of the map that is unknown after it, and a cost.

    Over a campaign that is the area over the curve of what is known, and the number of runs until all is.

    Args:
        unit: what both are divided by.
    """

    def __init__(self, unit: float = 1.0) -> None:
        self._unit = unit

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the share that is unknown, minus the cost; ``memo`` (n,) keeps the share that is known."""
        memo += step.resolved
        return (memo - 1 - _RUN_COST) / self._unit


class Place(NamedTuple):
    """Where campaigns are played.

    How likely one is played here its ``weight`` says, as a share of the weights of all places; rewards are divided by
    ``unit``, so that places where campaigns are long do not drown the others.
    """

    parts: OfflineParts
    weight: float
    unit: float = 1.0

    def env(self) -> PevaEnv:
        """Return an environment that pays by ``EarlyObjective``."""
        return PevaEnv(self.parts.campaigns(), EarlyObjective(self.unit))


class CandidateEnv(gymnasium.Env[Floats32, Any]):
    """Offline campaigns in which an action is one of ``K`` candidates.

    Observation: ``(K, N_INPUTS + 1)``, a row a candidate: what the correction is told of it (see
    ``peva_agents.beliefs.Comparison``), and 1; the highest score first, then some by chance; rows of 0 where there are
    fewer candidates. Action: the number of a row; beyond the last candidate, that one. Reward: see ``EarlyObjective``.

    Args:
        networks: of which the estimate is taken.
        places: where episodes are played, each drawn anew.
        first_seed: campaigns are drawn from this seed on.
        n_candidates: ``K``.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium declares it so

    def __init__(
        self, networks: Networks, places: Sequence[Place], *, first_seed: int = 0, n_candidates: int = 64
    ) -> None:
        self._networks = Networks(networks.estimate)
        self._places = [(place.parts.world.scenarios, place.env()) for place in places]
        self._weights = np.array([place.weight for place in places]) / sum(place.weight for place in places)
        self._first_seed = first_seed
        self._n_candidates = n_candidates
        shape = (n_candidates, N_INPUTS + 1)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.action_space = gymnasium.spaces.Discrete(n_candidates)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin a campaign in a place, on a scenario and with a seed that are drawn."""
        super().reset(seed=seed, options=options)
        scenarios, self._env = self._places[self.np_random.choice(len(self._places), p=self._weights)]
        scenario = scenarios[self.np_random.integers(len(scenarios))]
        campaign_seed = self._first_seed + int(self.np_random.integers(_N_SEEDS))
        _, info = self._env.reset(seed=campaign_seed, options={"scenario": scenario})
        self._policy = LearntPolicy(self._networks, campaign_seed)
        self._env.attach_policy(self._policy, agent="learnt")
        self._policy.setup(self._env.policy_context())
        return self._observed(info), {}

    def step(self, action: Any) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Measure a candidate."""
        index = self._shown.indices[min(int(action), len(self._shown) - 1)]
        _, reward, terminated, truncated, info = self._env.step(int(index))
        return self._observed(info), reward, terminated, truncated, {}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are candidates, (K,)."""
        return np.arange(self._n_candidates) < len(self._shown)

    def _observed(self, info: dict[str, Any]) -> Floats32:
        observation = np.zeros((self._n_candidates, N_INPUTS + 1), np.float32)
        unknown = Candidates(self._env.space, np.flatnonzero(info["action_mask"]))
        self._shown = unknown
        if unknown:
            compared = self._policy.compare(unknown)
            rows = self._rows(compared.score)
            self._shown = compared.candidates.take(rows)
            observation[: len(rows), :-1] = compared.inputs[rows]
            observation[: len(rows), -1] = 1
        return observation

    def _rows(self, score: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return which candidates are shown."""
        order = np.argsort(-score, kind="stable")
        n_best = self._n_candidates - int(self._n_candidates * _SHARE_BY_CHANCE)
        return np.append(order[:n_best], self.np_random.permutation(order[n_best:]))[: self._n_candidates]
