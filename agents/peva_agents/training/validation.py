"""Validation of a policy while it learns: episodes of the validation part, played side by side."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_agents.models import best_legal
from peva_agents.training.worlds import TrainingWorlds
from peva_env.vector import PevaVectorEnv


class Validation(NamedTuple):
    """Means over the validation episodes: the return, and the share of the map that is known at the end."""

    mean_return: float
    mean_resolved: float


def validate(policy: Any, worlds: TrainingWorlds, seeds: Sequence[int]) -> Validation:
    """Let a policy play an episode of each seed, always its best legal action; shapes of space share the seeds."""
    played = [_play(policy, env, part) for env, part in shared_out(worlds, seeds)]
    returns, resolved = (np.concatenate(values) for values in zip(*played, strict=True))
    return Validation(float(returns.mean()), float(resolved.mean()))


def shared_out(worlds: TrainingWorlds, seeds: Sequence[int]) -> Iterator[tuple[PevaVectorEnv, list[int]]]:
    """Yield environments of each shape of space, with their shares of the seeds; each shape has one at least."""
    begin = 0
    for env in worlds.vectors("validation", len(seeds)):
        yield env, [seeds[i % len(seeds)] for i in range(begin, begin + env.num_envs)]
        begin += env.num_envs


def _play(policy: Any, env: PevaVectorEnv, seeds: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the return of an episode of each seed, (n,), and the share of the map that is known at its end, (n,).

    The episodes run in one vector environment, because validation interrupts the training 30 times.
    """
    n = len(seeds)
    observation, _ = env.reset(seed=seeds)
    playing = np.ones(n, np.bool_)
    returns, resolved = np.zeros(n), np.zeros(n)
    while playing.any():
        actions = best_legal(policy, observation, env.action_masks())
        n_configs = env.n_configs  # before an episode of another scenario begins
        observation, rewards, terminated, truncated, infos = env.step(actions)
        ended = playing & (terminated | truncated)
        returns += rewards * playing
        if ended.any():
            resolved[ended] = 1 - infos["final_info"]["n_unknown"][ended] / n_configs[ended]
            playing &= ~ended
    return returns, resolved
