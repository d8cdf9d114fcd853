"""Training of the learnt agent's correction by maskable PPO, on whole campaigns, with the estimate as it is.

Training begins with a correction of 0. The return of a campaign (see ``peva_agents.training.candidates``) is divided,
world by world, by the mean return without a correction. At the end, campaigns with other seeds are played with the
correction and without it. The correction is kept only if its mean gain is more than the standard error, and if in no
world it loses more than the standard error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from peva_agents.beliefs import Networks
from peva_agents.learnt import LearntPolicy
from peva_agents.loop import run_campaign
from peva_agents.policy_agent import PolicyAgent
from peva_agents.training.candidates import CandidateEnv, CorrectionWorld
from peva_agents.training.correction_policy import CandidatePolicy
from peva_env.env import PevaEnv

type Floats = NDArray[np.float64]
type Say = Callable[[str], None]

_N_ENVS = 8
"""Campaigns side by side."""

_RATE = 1e-3
_HYPERPARAMETERS: dict[str, Any] = {
    "n_steps": 64,
    "batch_size": 128,
    "n_epochs": 4,
    "learning_rate": lambda left: _RATE * left,
    "gamma": 1.0,  # a campaign ends, and how soon is what counts
    "gae_lambda": 0.9,
}
_HIDDEN = 32
_N_LINES = 5
_TRAINING_SEED, _EVALUATION_SEED = 2**32, 2**33
"""The first seeds of training and of evaluation campaigns, far from the seeds that users give to an arena."""


def correct(
    networks: Networks,
    worlds: Sequence[CorrectionWorld],
    *,
    n_choices: int,
    n_evaluated: int,
    seed: int,
    say: Say,
    n_seen: int = 1000,
    hyperparameters: Mapping[str, Any] = _HYPERPARAMETERS,
) -> Networks:
    """Return the networks with a correction, or without one if it is no improvement.

    Args:
        networks: their estimate is used, not their correction.
        worlds: where campaigns are played.
        n_choices: the number of choices to learn from.
        n_evaluated: the number of evaluation campaigns, shared out by the weights of the worlds.
        seed: the seed of the networks, and of which campaigns are played.
        say: is called with each line of progress.
        n_seen: the number of choices from which the means and deviations of the inputs are computed.
        hyperparameters: of maskable PPO.
    """
    plain = Networks(networks.estimate)
    plain_returns = campaign_returns(plain, worlds, n_evaluated)
    scaled = [world._replace(unit=-returns.mean()) for world, returns in zip(worlds, plain_returns, strict=True)]
    model = _model(plain, scaled, seed, n_seen, hyperparameters)
    model.learn(n_choices, callback=ProgressLines(n_choices, say))
    corrected = replace(plain, correction=model.policy.mlp_extractor.network())
    corrected_returns = campaign_returns(corrected, scaled, n_evaluated)
    gains = [
        returns - before / world.unit
        for returns, before, world in zip(corrected_returns, plain_returns, scaled, strict=True)
    ]
    improved = is_improvement(gains)
    each = ", ".join(f"{gain.mean():+.2%} ± {_error(gain):.2%}" for gain in gains)
    say(f"correction: returns of the worlds change by {each}, so it is {'kept' if improved else 'dropped'}")
    return corrected if improved else plain


def is_improvement(gains: Sequence[Floats]) -> bool:
    """Tell whether the mean gain exceeds its standard error, and no world (m,) has a mean loss beyond its own."""
    together = np.concatenate(gains)
    return bool(together.mean() > _error(together) and all(gain.mean() >= -_error(gain) for gain in gains))


def _error(gains: Floats) -> float:
    """Return the standard error of the mean."""
    return float(gains.std() / len(gains) ** 0.5)


class ProgressLines(BaseCallback):
    """Says now and then the mean return of the latest campaigns; without a correction it would be -1."""

    def __init__(self, n_choices: int, say: Say) -> None:
        super().__init__()
        self._every = max(1, n_choices // _N_LINES)
        self._n_said = 0
        self._say = say

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.num_timesteps // self._every > self._n_said:
            self._n_said = self.num_timesteps // self._every
            returns = [episode["r"] for episode in self.model.ep_info_buffer]
            self._say(f"correction: {self.num_timesteps} choices, mean return {np.mean(returns):.3f}")


def campaign_returns(networks: Networks, worlds: Sequence[CorrectionWorld], n: int) -> list[Floats]:
    """Return the returns of the evaluation campaigns of each world, (m,); always the same campaigns, at least one."""
    total = sum(world.weight for world in worlds)
    return [_returns(networks, world, max(1, round(n * world.weight / total))) for world in worlds]


def _returns(networks: Networks, world: CorrectionWorld, n: int) -> Floats:
    env, scenarios = world.env(), world.setup.world.scenarios
    return np.array([_return(env, networks, scenarios[i % len(scenarios)], _EVALUATION_SEED + i) for i in range(n)])


def _return(env: PevaEnv, networks: Networks, scenario: str, seed: int) -> float:
    agent = PolicyAgent(LearntPolicy(networks, seed), seed=seed)
    return run_campaign(env, agent, seed=seed, options={"scenario": scenario}).total_reward


def _model(
    networks: Networks,
    worlds: Sequence[CorrectionWorld],
    seed: int,
    n_seen: int,
    hyperparameters: Mapping[str, Any],
) -> Any:
    def make() -> Any:
        return Monitor(CandidateEnv(networks, worlds, first_seed=_TRAINING_SEED))

    mean, scale = _moments(CandidateEnv(networks, worlds, first_seed=_TRAINING_SEED), seed, n_seen)
    return MaskablePPO(
        CandidatePolicy,
        DummyVecEnv([make] * _N_ENVS),
        seed=seed,
        device="cpu",
        policy_kwargs={"network_kwargs": {"mean": mean, "scale": scale, "hidden": _HIDDEN}},
        **hyperparameters,
    )


def _moments(env: CandidateEnv, seed: int, n_seen: int) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the inputs in campaigns that always choose the highest score."""
    seen, ended = [], False
    observation, _ = env.reset(seed=seed)
    for _ in range(n_seen):
        if ended:
            observation, _ = env.reset()
        seen.append(observation[env.action_masks(), :-1])
        observation, _, terminated, truncated, _ = env.step(0)
        ended = terminated or truncated
    rows = np.concatenate(seen).astype(np.float64)
    return rows.mean(axis=0), rows.std(axis=0) + 1e-6
