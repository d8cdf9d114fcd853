"""Campaigns as choices among a few candidates, on which the correction of the learnt agent is trained.

In every space an action is one of ``K`` candidates, and the observation has the same few numbers of each. So one small
network, which scores a candidate by its numbers, serves all spaces.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import N_INPUTS, Networks
from peva_agents.learnt import LearntPolicy
from peva_env.campaign import OfflineSetup
from peva_env.env import PevaEnv
from peva_env.objectives import Step
from peva_env.planning import Candidates

type Floats32 = NDArray[np.float32]

_RUN_COST = 0.1
"""The cost of a run, as a share of the penalty of a run while nothing is known."""

_SHARE_BY_CHANCE = 0.25
"""The share of the candidates shown that is drawn at random; the others have the highest scores."""

_N_SEEDS = 2**31


class EarlyObjective:
    """A penalty for each run: the share of the map that is unknown after it, plus a cost.

    Over a campaign the penalties are the area above the curve of the known share, plus the cost of all runs.

    Args:
        unit: the number by which rewards are divided.
    """

    def __init__(self, unit: float = 1.0) -> None:
        self._unit = unit

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the unknown share, minus the cost; ``memo`` (n,) holds the known share."""
        memo += step.resolved
        return (memo - 1 - _RUN_COST) / self._unit


class CorrectionWorld(NamedTuple):
    """A world on which the correction is trained.

    A campaign is played on it with a probability in proportion to ``weight``. Rewards are divided by ``unit``, so that
    worlds with long campaigns do not outweigh the others.
    """

    setup: OfflineSetup
    weight: float
    unit: float = 1.0

    def env(self) -> PevaEnv:
        """Return an environment whose rewards are those of ``EarlyObjective``."""
        return PevaEnv(self.setup.campaigns(), EarlyObjective(self.unit))


class CandidateEnv(gymnasium.Env[Floats32, Any]):
    """Offline campaigns in which an action is one of ``K`` candidates.

    Observation: ``(K, N_INPUTS + 1)``, a row for each candidate: the inputs of the correction (see
    ``peva_agents.beliefs.Comparison``), then 1. The candidates with the highest scores come first, then some at random;
    rows without a candidate are 0. Action: the index of a row; an index beyond the last candidate selects the last one.
    Reward: see ``EarlyObjective``.

    Args:
        networks: their estimate is used, not their correction.
        worlds: each episode is played on one of them, drawn at random.
        first_seed: the lowest seed of a campaign.
        n_candidates: ``K``.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium declares it so

    def __init__(
        self, networks: Networks, worlds: Sequence[CorrectionWorld], *, first_seed: int = 0, n_candidates: int = 64
    ) -> None:
        self._networks = Networks(networks.estimate)
        self._worlds = [(world.setup.world.scenarios, world.env()) for world in worlds]
        self._weights = np.array([world.weight for world in worlds]) / sum(world.weight for world in worlds)
        self._first_seed = first_seed
        self._n_candidates = n_candidates
        shape = (n_candidates, N_INPUTS + 1)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.action_space = gymnasium.spaces.Discrete(n_candidates)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin a campaign; its world, scenario and seed are drawn at random."""
        super().reset(seed=seed, options=options)
        scenarios, self._env = self._worlds[self.np_random.choice(len(self._worlds), p=self._weights)]
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
        """Return the numbers of the candidates that are shown."""
        order = np.argsort(-score, kind="stable")
        n_best = self._n_candidates - int(self._n_candidates * _SHARE_BY_CHANCE)
        return np.append(order[:n_best], self.np_random.permutation(order[n_best:]))[: self._n_candidates]
