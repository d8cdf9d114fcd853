"""What a policy learns from each reward: ``python -m benchmarks rewards-teach``.

Maskable PPO, and PPO without masks, learn on simulated nodes, and play other nodes with other noise. A policy that
learned without masks plays without masks, too: what it does about known configurations is what its reward taught it. It
draws its actions, because a no-op changes no observation, so that the most probable action would be taken for ever.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peva_agents.arena import PARTS
from peva_agents.models import best_legal, one_thread
from peva_agents.training import build, parse_training, sized_for
from peva_agents.training.worlds import TrainingWorlds
from peva_env.campaign import simulated_setup, true_labels

_RATES = {"a": list(range(0, 201, 20)), "b": list(range(0, 201, 20))}
_BUDGET_RUNS, _NOISE = 12, 0.1
_STEPS, _SEEDS, _NODES = 100_000, (0, 1), 200

_LESSONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "frontier": ("maskable-ppo", {"reward": "frontier"}),
    "early": ("maskable-ppo", {"reward": "early"}),
    "seconds": ("maskable-ppo", {"reward": "seconds", "reward_kwargs": {"limit_s": 35.0 * _BUDGET_RUNS}}),
    "right": ("maskable-ppo", {"reward": "right"}),
    "goodput": ("maskable-ppo", {"reward": "goodput"}),
    "frontier, without masks": ("ppo", {"reward": "frontier"}),
    "frontier of `-v0`, without masks": ("ppo", {"reward": "frontier", "version": 0}),
}


def main() -> None:
    """Train and play, and print a row for each reward."""
    one_thread()
    print(
        "| reward | resolved | after 6 runs | accuracy | runs | seconds | no-ops |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    for name, (algo, settings) in _LESSONS.items():
        plays = np.vstack([_lesson(algo, settings, seed) for seed in _SEEDS])
        resolved, soon, accuracy, runs, cost_s, no_ops = plays.mean(axis=0)
        shares = f"{resolved:.1%} | {soon:.1%} | {accuracy:.1%}"
        print(f"| {name} | {shares} | {runs:.1f} | {cost_s:,.0f} | {no_ops:.1f} |", flush=True)


def _lesson(algo: str, settings: Mapping[str, Any], seed: int) -> np.ndarray[Any, Any]:
    """Return the figures of each test node, (nodes, 6)."""
    setup = simulated_setup("random", rates_rps=_RATES, noise=_NOISE, budget_runs=_BUDGET_RUNS, **settings)
    worlds = TrainingWorlds(seed, dict.fromkeys(PARTS, (setup,)), None)
    given = {"sim": "random", "rates_rps": _RATES, "algo": algo, "view": "map", "seed": seed}
    config = sized_for(parse_training(given), worlds.space)
    env = worlds.learning_env(config.n_envs or 1)
    env.seed(worlds.seeds("train", env.num_envs))
    with tempfile.TemporaryDirectory() as folder:
        model = build(config, env, worlds.space, Path(folder))
        model.learn(_STEPS)
    return np.array([_play(worlds, model.policy, episode, algo) for episode in worlds.seeds("test", _NODES)])


def _play(worlds: TrainingWorlds, policy: Any, seed: int, algo: str) -> list[float]:
    played = worlds.single("test")
    observation, info = played.reset(seed=seed)
    ended, soon, runs, cost_s, steps = False, 0.0, 0, 0.0, 0
    while not ended:
        batch = {key: value[None] for key, value in observation.items()}
        if algo == "maskable-ppo":
            action = best_legal(policy, batch, info["action_mask"][None])[0]
        else:
            action = policy.predict(batch)[0][0]
        observation, _, terminated, truncated, info = played.step(int(action))
        ended, steps = terminated or truncated, steps + 1
        runs, cost_s = runs + info["n_runs"], cost_s + info["cost_s"]
        if runs <= _BUDGET_RUNS // 2:
            soon = float(observation["progress"][0])
    labels, truth = played.known.labels, true_labels(worlds.setups["test"][0].world, seed, 0)
    return [float(observation["progress"][0]), soon, float(np.mean(labels == truth)), runs, cost_s, steps - runs]
