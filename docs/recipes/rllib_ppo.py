"""PPO of RLlib, on its new API stack, with masked actions: the mask travels in the observation.

Run it with ``python docs/recipes/rllib_ppo.py [TOTAL_STEPS]``.
"""

import sys

import gymnasium
import numpy as np
import ray
from gymnasium.spaces import Box, Dict
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
from ray.tune.registry import register_env

BATCH = 2048


class MaskInObservation(gymnasium.Wrapper):
    """Observes ``{"observations": flat array, "action_mask": mask}``, as RLlib's masking module wants it."""

    def __init__(self, env):
        super().__init__(gymnasium.wrappers.FlattenObservation(env))
        mask = Box(0, 1, (env.action_space.n,), np.float32)
        self.observation_space = Dict({"observations": self.env.observation_space, "action_mask": mask})

    def reset(self, *, seed=None, options=None):
        observation, info = self.env.reset(seed=seed, options=options)
        return self._both(observation, info), info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._both(observation, info), reward, terminated, truncated, info

    def _both(self, observation, info):
        return {"observations": observation, "action_mask": info["action_mask"].astype(np.float32)}


def make_env(config):
    return MaskInObservation(gymnasium.make("peva_env:peva/FaasSim-v1", **config))


def main(total_steps):
    rates_rps = {"a": list(range(0, 201, 20)), "b": list(range(0, 201, 20))}
    register_env("masked-peva", make_env)
    config = (
        PPOConfig()
        .environment("masked-peva", env_config={"rates_rps": rates_rps, "budget_runs": 16})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=8)
        .rl_module(
            rl_module_spec=RLModuleSpec(
                module_class=ActionMaskingTorchRLModule,
                model_config={"head_fcnet_hiddens": [256, 256], "head_fcnet_activation": "tanh"},
            )
        )
        .training(lr=1e-3, train_batch_size_per_learner=BATCH, minibatch_size=256, num_epochs=4, entropy_coeff=0.01)
        .debugging(seed=1)
    )
    ray.init(num_cpus=1, include_dashboard=False, _node_ip_address="127.0.0.1")
    algorithm = config.build_algo()
    for number in range(max(1, total_steps // BATCH)):
        result = algorithm.train()["env_runners"]
        if number % 5 == 0 or (number + 2) * BATCH > total_steps:
            print(f"{(number + 1) * BATCH:>9,} steps: mean return {result['episode_return_mean']:+.3f}")
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
