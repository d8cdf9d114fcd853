"""Training of the learnt agent's correction by maskable PPO, on whole campaigns, with the estimate as it is.

It begins at the score without a correction. What campaigns are worth (see ``peva_agents.training.candidates``) is
counted in what those without a correction are worth on average, place by place. At the end campaigns that were not
learnt on are played with the correction and without one: it is kept only if it did better by more than the standard
error, and in no place worse by more than that.
"""

from collections.abc import Callable, Sequence
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
from peva_agents.training.candidates import CandidateEnv, Place
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
_N_SEEN = 1000
"""So many choices are looked at for the means and deviations of the inputs."""

_LEARNT_SEED, _JUDGED_SEED = 2**32, 2**33
"""Campaigns that are learnt on, and judged by, have seeds from here on: far from those that anybody gives an arena."""


def correct(
    networks: Networks, places: Sequence[Place], *, n_choices: int, n_judged: int, seed: int, say: Say
) -> Networks:
    """Return the networks with a correction, or without one if that is no better.

    Args:
        networks: of which the estimate is taken.
        places: where campaigns are played.
        n_choices: to learn from.
        n_judged: campaigns to judge by, shared out by the places' weights.
        seed: of networks, and of which campaigns are played.
        say: is told of progress, a line each time.
    """
    plain = Networks(networks.estimate)
    without = judge(plain, places, n_judged)
    counted = [place._replace(unit=-worth.mean()) for place, worth in zip(places, without, strict=True)]
    model = _model(plain, counted, seed)
    model.learn(n_choices, callback=Progress(n_choices, say))
    found = replace(plain, correction=model.policy.mlp_extractor.network())
    gains = [
        mine - worth / place.unit
        for mine, worth, place in zip(judge(found, counted, n_judged), without, counted, strict=True)
    ]
    is_better = better(gains)
    each = ", ".join(f"{gain.mean():+.2%} ± {_error(gain):.2%}" for gain in gains)
    say(f"correction: campaigns in each place are worth {each} more, so it is {'kept' if is_better else 'dropped'}")
    return found if is_better else plain


def better(gains: Sequence[Floats]) -> bool:
    """Tell whether gains (m,) in each place are likely one on the whole, and nowhere likely a loss."""
    together = np.concatenate(gains)
    return bool(together.mean() > _error(together) and all(gain.mean() >= -_error(gain) for gain in gains))


def _error(gains: Floats) -> float:
    """Return the standard error of the mean."""
    return float(gains.std() / len(gains) ** 0.5)


class Progress(BaseCallback):
    """Says now and then what campaigns were worth lately, without a correction -1."""

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
            lately = [episode["r"] for episode in self.model.ep_info_buffer]
            self._say(f"correction: {self.num_timesteps} choices, campaigns were worth {np.mean(lately):.3f} lately")


def judge(networks: Networks, places: Sequence[Place], n: int) -> list[Floats]:
    """Return what each of some campaigns was worth, (m,) each place; always the same campaigns, one at least."""
    total = sum(place.weight for place in places)
    return [_returns(networks, place, max(1, round(n * place.weight / total))) for place in places]


def _returns(networks: Networks, place: Place, n: int) -> Floats:
    env, scenarios = place.env(), place.parts.world.scenarios
    return np.array([_return(env, networks, scenarios[i % len(scenarios)], _JUDGED_SEED + i) for i in range(n)])


def _return(env: PevaEnv, networks: Networks, scenario: str, seed: int) -> float:
    agent = PolicyAgent(LearntPolicy(networks, seed), seed=seed)
    return run_campaign(env, agent, seed=seed, options={"scenario": scenario}).total_reward


def _model(networks: Networks, places: Sequence[Place], seed: int) -> Any:
    def make() -> Any:
        return Monitor(CandidateEnv(networks, places, first_seed=_LEARNT_SEED))

    mean, scale = _moments(CandidateEnv(networks, places, first_seed=_LEARNT_SEED), seed)
    return MaskablePPO(
        CandidatePolicy,
        DummyVecEnv([make] * _N_ENVS),
        seed=seed,
        device="cpu",
        policy_kwargs={"network_kwargs": {"mean": mean, "scale": scale, "hidden": _HIDDEN}},
        **_HYPERPARAMETERS,
    )


def _moments(env: CandidateEnv, seed: int) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the inputs, where the highest score is always chosen."""
    seen, ended = [], False
    observation, _ = env.reset(seed=seed)
    for _ in range(_N_SEEN):
        if ended:
            observation, _ = env.reset()
        seen.append(observation[env.action_masks(), :-1])
        observation, _, terminated, truncated, _ = env.step(0)
        ended = terminated or truncated
    rows = np.concatenate(seen).astype(np.float64)
    return rows.mean(axis=0), rows.std(axis=0) + 1e-6
