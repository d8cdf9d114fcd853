"""How fast environments step in the view of candidates, and how fast a single one is in either view.

Reference: one CartPole-v1 of Gymnasium in the same run. Actions are legal ones drawn at random; choosing them is not
timed. Rounds of what is compared take turns, and the fastest round of each counts.
"""

from typing import Any

import gymnasium
import numpy as np

from benchmarks.offline_speed import Play, k_steps_per_s, single
from benchmarks.timing import report

_ENVS = 64
_CUBE = {name: range(0, 201, 10) for name in "abc"}


def main() -> None:
    """Print the figures of the view of candidates."""
    views = {"21 x 21": {}, "21 x 21 x 21": {"rates_rps": _CUBE}}
    for name, arguments in views.items():
        (speed,) = k_steps_per_s(_candidates(**arguments))
        report(f"64 candidates, {name}, {_ENVS} side by side", 1e3 * speed, "1/s", target=">= 5000")
    names = {"map": {}, "candidates": {"view": "candidates"}}
    cartpole, *speeds = k_steps_per_s(_cartpole(), *(single("peva/FaasSim-v1", **names[name]) for name in names))
    for name, speed in zip(names, speeds, strict=True):
        target = "<= 4 x" if name == "map" else ""
        report(f"21 x 21, single, {name}", 1e3 / speed, "us", target=target, reference=("CartPole", 1e3 / cartpole))


def _candidates(**arguments: Any) -> Play:
    env: Any = gymnasium.make_vec(
        "peva_env:peva/FaasSim-v1",
        num_envs=_ENVS,
        vectorization_mode="vector_entry_point",
        view="candidates",
        autoreset_mode="SameStep",
        **arguments,
    )
    env.reset(seed=0)
    rng = np.random.default_rng(0)

    def choose() -> Any:
        return (rng.random((_ENVS, 64)) * env.action_masks()).argmax(axis=1)

    for _ in range(40):  # until the campaigns are at different numbers of measurements
        env.step(choose())
    return Play(choose, env.step, n_steps=20, n_envs=_ENVS)


def _cartpole() -> Play:
    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=0)

    def step(action: Any) -> None:
        if env.step(action)[2]:
            env.reset()

    return Play(env.action_space.sample, step, n_steps=1000, n_envs=1)
