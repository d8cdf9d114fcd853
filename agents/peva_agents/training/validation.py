"""Validation of a policy while it learns: episodes of the validation part, played side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from peva_agents.models import best_legal
from peva_agents.training.worlds import TrainingWorlds


class Validation(NamedTuple):
    """Means over the validation episodes: the return, and the share of the map that is known at the end."""

    mean_return: float
    mean_resolved: float


def validate(policy: Any, worlds: TrainingWorlds, seeds: Sequence[int]) -> Validation:
    """Let a policy play an episode of each seed, always its best legal action.

    The episodes run in one vector environment, because validation interrupts the training 30 times.
    """
    n = len(seeds)
    env = worlds.vector("validation", n)
    observation, _ = env.reset(seed=seeds)
    playing = np.ones(n, np.bool_)
    returns, resolved = np.zeros(n), np.zeros(n)
    while playing.any():
        actions = best_legal(policy, observation, env.action_masks())
        observation, rewards, terminated, truncated, infos = env.step(actions)
        ended = playing & (terminated | truncated)
        returns += rewards * playing
        if ended.any():
            resolved[ended] = infos["final_obs"]["progress"][ended, 0]
            playing &= ~ended
    return Validation(float(returns.mean()), float(resolved.mean()))
