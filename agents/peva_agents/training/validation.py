"""Validation of a policy while it learns: episodes of the validation part, played side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from peva_agents.models import best_legal
from peva_agents.training.side_by_side import SideBySide


class Validation(NamedTuple):
    """Means over the validation episodes: the return, and the share of the map that is known at the end."""

    mean_return: float
    mean_resolved: float


def validate(policy: Any, envs: Sequence[SideBySide], seeds: Sequence[int]) -> Validation:
    """Let a policy play an episode of each seed, always its best legal action; shapes of space share the seeds.

    The steps of all shapes go on at the same time, because validation interrupts the training 30 times.
    """
    shares = shared_out(seeds, [env.num_envs for env in envs])
    played = [_Played(env, share) for env, share in zip(envs, shares, strict=True)]
    while playing := [one for one in played if one.playing.any()]:
        for one in playing:
            one.begin_step(policy)
        for one in playing:
            one.end_step()
    returns, resolved = (np.concatenate([getattr(one, name) for one in played]) for name in ("returns", "resolved"))
    return Validation(float(returns.mean()), float(resolved.mean()))


def shared_out(seeds: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """Return the seeds of each shape of space, as many as its size; a few shapes may have to share some."""
    ends = np.cumsum(sizes).tolist()
    return [[seeds[i % len(seeds)] for i in range(end - size, end)] for end, size in zip(ends, sizes, strict=True)]


class _Played:
    """An episode of each environment of one shape: its return (n,), and the share of the map known at its end (n,)."""

    def __init__(self, env: SideBySide, seeds: list[int]) -> None:
        self._env = env
        self._observation, _ = env.reset(seed=seeds)
        self.playing = np.ones(len(seeds), np.bool_)
        self.returns, self.resolved = np.zeros(len(seeds)), np.zeros(len(seeds))

    def begin_step(self, policy: Any) -> None:
        """Let the policy choose, and the step begin."""
        self._actions: NDArray[np.int64] = best_legal(policy, self._observation, self._env.action_masks())
        self._n_configs = self._env.n_configs  # before an episode of another scenario begins
        self._env.begin_step(self._actions)

    def end_step(self) -> None:
        """Wait for the step, and take note of what it gave."""
        self._observation, rewards, terminated, truncated, infos = self._env.step(self._actions)
        ended = self.playing & (terminated | truncated)
        self.returns += rewards * self.playing
        if ended.any():
            self.resolved[ended] = 1 - infos["final_info"]["n_unknown"][ended] / self._n_configs[ended]
            self.playing &= ~ended
