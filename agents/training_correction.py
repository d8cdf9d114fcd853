"""Training of the learnt agent's correction by maskable PPO, on whole campaigns, with the estimate as it is.

It begins at the score without a correction. After each of some equal parts the networks play campaigns of their own,
the same ones each time and without one, too. The best are kept if they did better than none by more than chance makes
likely: a correction that is no better is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.learnt import LearntPolicy, Networks
from agents.loop import run_campaign
from agents.policy_agent import PolicyAgent
from agents.training_candidates import CandidateEnv, Place
from agents.training_correction_policy import CandidatePolicy

type Floats = NDArray[np.float64]

_N_ENVS, _N_STEPS = 8, 256
"""Campaigns side by side, and choices of each between updates."""

_HYPERPARAMETERS: dict[str, Any] = {
    "n_steps": _N_STEPS,
    "batch_size": 256,
    "n_epochs": 5,
    "learning_rate": 1e-3,
    "gamma": 1.0,  # a campaign ends, and how soon is what counts
    "gae_lambda": 0.95,
    "target_kl": 0.03,
}
_HIDDEN = 32
_N_LOOKS = 8
_N_SEEN = 1000
"""So many choices are looked at for the means and deviations of the inputs."""

_N_JUDGED = 100
"""So many campaigns networks are judged by, shared out by the places' weights, at least one a scenario."""

_JUDGED_SEED = 2**33
"""No campaign of the training has a seed from here on."""


def correct(
    networks: Networks, places: Sequence[Place], *, n_steps: int, first_seed: int, say: Callable[[str], None]
) -> Networks:
    """Return the networks with a correction, or without one if none that was found is better.

    Args:
        networks: of which the estimate is taken.
        places: where campaigns are played.
        n_steps: choices to learn from.
        first_seed: of campaigns and networks.
        say: is told of progress, a line each time.
    """
    model = _model(networks, places, first_seed)
    best, without = Networks(networks.estimate), judge(Networks(networks.estimate), places)
    say(f"correction: without one a campaign is worth {without.mean():.3f}")
    best_gain = 0.0
    for look in range(1, _N_LOOKS + 1):
        model.learn(n_steps // _N_LOOKS, reset_num_timesteps=look == 1)
        found = replace(best, correction=model.policy.mlp_extractor.network())
        gains = judge(found, places) - without
        deviation = gains.std() / len(gains) ** 0.5
        say(f"correction: {model.num_timesteps} choices, a campaign is worth {gains.mean():+.3f} ± {deviation:.3f}")
        if gains.mean() > max(best_gain, deviation):
            best, best_gain = found, gains.mean()
    return best


def judge(networks: Networks, places: Sequence[Place]) -> Floats:
    """Return what each of some campaigns was worth (see ``EarlyObjective``), always the same campaigns."""
    total = sum(place.weight for place in places)
    return np.concatenate([_returns(networks, place, _N_JUDGED * place.weight / total) for place in places])


def _returns(networks: Networks, place: Place, n: float) -> Floats:
    env, scenarios = place.env(), place.parts.world.scenarios
    n_each = max(1, round(n / len(scenarios)))
    return np.array([
        _return(env, networks, scenario, seed)
        for scenario in scenarios
        for seed in range(_JUDGED_SEED, _JUDGED_SEED + n_each)
    ])  # fmt: skip


def _return(env: Any, networks: Networks, scenario: str, seed: int) -> float:
    agent = PolicyAgent(LearntPolicy(networks, seed), seed=seed)
    return run_campaign(env, agent, seed=seed, options={"scenario": scenario}).total_reward


def _model(networks: Networks, places: Sequence[Place], first_seed: int) -> Any:
    def make() -> CandidateEnv:
        return CandidateEnv(networks, places, first_seed=first_seed)

    mean, scale = _moments(make(), first_seed)
    return MaskablePPO(
        CandidatePolicy,
        DummyVecEnv([make] * _N_ENVS),
        seed=first_seed,
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
