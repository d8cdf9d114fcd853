"""MaskablePPO of sb3-contrib on single environments, side by side in a ``DummyVecEnv``.

Run it with ``python docs/recipes/sb3_maskable_ppo.py [TOTAL_STEPS]``.
"""

import sys

import gymnasium
import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.env_util import make_vec_env

ENV_ID = "peva_env:peva/FaasSim-v1"
ARGUMENTS = {"rates_rps": {"a": range(0, 201, 20), "b": range(0, 201, 20)}, "budget_runs": 16}


def mean_return(choose, n_episodes=100):
    env, returns = gymnasium.make(ENV_ID, **ARGUMENTS), []
    for seed in range(10_000, 10_000 + n_episodes):
        observation, info = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            observation, reward, terminated, truncated, info = env.step(choose(observation, info["action_mask"]))
            total, over = total + reward, terminated or truncated
        returns.append(total)
    env.close()
    return np.mean(returns)


def main(total_steps):
    torch.set_num_threads(1)  # networks this small lose by more
    rng = np.random.default_rng(1)
    # No wrapper for masks: sb3-contrib asks the environment's own method action_masks().
    env = make_vec_env(ENV_ID, n_envs=8, seed=1, env_kwargs=ARGUMENTS)
    model = MaskablePPO(
        "MultiInputPolicy", env, n_steps=256, batch_size=256, learning_rate=1e-3, ent_coef=0.01,
        policy_kwargs={"net_arch": [256, 256]}, seed=1, device="cpu",
    )  # fmt: skip

    def greedy(observation, mask):
        return int(model.predict(observation, action_masks=mask.astype(bool), deterministic=True)[0])

    print(f"random legal actions: mean return {mean_return(lambda _, mask: rng.choice(mask.nonzero()[0])):+.3f}")
    print(f"before: mean return {mean_return(greedy):+.3f}")
    model.learn(total_steps)
    print(f"after {model.num_timesteps:,} steps: mean return {mean_return(greedy):+.3f}")
    env.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
