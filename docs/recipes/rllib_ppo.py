"""PPO of RLlib, on its new API stack, on the candidate view: two processes play, and masks travel in the observation.

RLlib pins Gymnasium, so it needs a virtual environment of its own, see the page. Run it with
``python docs/recipes/rllib_ppo.py [TOTAL_STEPS]``.
"""

import sys

import gymnasium
import numpy as np
import ray
import torch
from gymnasium.spaces import Box, Dict
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.tune.registry import register_env
from torch import nn

BATCH, UNITS, ENV_RUNNERS, ENVS_OF_A_RUNNER = 2048, 64, 2, 8


class MaskInObservation(gymnasium.Wrapper):
    """Adds the mask to the observation, since RLlib passes no infos to a module."""

    def __init__(self, env):
        super().__init__(env)
        mask = Box(0, 1, (env.action_space.n,), np.float32)
        self.observation_space = Dict({**env.observation_space, "action_mask": mask})

    def reset(self, *, seed=None, options=None):
        observation, info = self.env.reset(seed=seed, options=options)
        return self._with_mask(observation, info), info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        # The end of the budget is an end: its reward charges all that is unknown, so there is no value to add.
        return self._with_mask(observation, info), reward, terminated or truncated, False, info

    def _with_mask(self, observation, info):
        return {**observation, "action_mask": info["action_mask"].astype(np.float32)}


class Rows(TorchRLModule, ValueFunctionAPI):
    """A logit for each candidate by one network that all candidates share; the value is that of their mean."""

    def setup(self):
        parts = [self.observation_space[name] for name in ("candidates", "context")]
        n_features = sum(part.shape[-1] for part in parts)
        bounds = np.concatenate([abs(part.high.reshape(-1, part.shape[-1])[0]) for part in parts])
        self.register_buffer("scale", torch.as_tensor(3 / np.maximum(bounds, 3)))  # features up to 3 stay as they are
        self.body = nn.Sequential(nn.Linear(n_features, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU())
        self.logit, self.value = nn.Linear(UNITS, 1), nn.Linear(UNITS, 1)

    def _rows(self, batch):
        """Return what the body makes of each candidate, (n, K, UNITS), and which rows have a candidate, (n, K)."""
        observation = batch[Columns.OBS]
        rows = observation["candidates"]
        context = observation["context"][:, None].expand(-1, rows.shape[1], -1)
        return self.body(torch.cat([rows, context], dim=2) * self.scale), observation["action_mask"]

    def _forward(self, batch, **_):
        rows, mask = self._rows(batch)
        return {Columns.ACTION_DIST_INPUTS: self.logit(rows)[..., 0].masked_fill(mask == 0, -1e8)}

    def compute_values(self, batch, embeddings=None):  # noqa: ARG002 - RLlib gives it
        rows, mask = self._rows(batch)
        shown = mask[..., None]
        return self.value((rows * shown).sum(dim=1) / shown.sum(dim=1).clamp(min=1))[..., 0]


def make_env(config):
    return MaskInObservation(gymnasium.make("peva_env:peva/FaasSim-v1", **config))


def main(total_steps):
    rates_rps = {"a": list(range(0, 201, 20)), "b": list(range(0, 201, 20))}
    register_env("masked-peva", make_env)
    config = (
        PPOConfig()
        .environment("masked-peva", env_config={"rates_rps": rates_rps, "budget_runs": 16, "view": "candidates"})
        .env_runners(num_env_runners=ENV_RUNNERS, num_envs_per_env_runner=ENVS_OF_A_RUNNER)
        .rl_module(rl_module_spec=RLModuleSpec(module_class=Rows))
        .training(lr=1e-3, train_batch_size_per_learner=BATCH, minibatch_size=256, num_epochs=4, entropy_coeff=0.003)
        .debugging(seed=1)
    )
    ray.init("local", num_cpus=ENV_RUNNERS, include_dashboard=False, _node_ip_address="127.0.0.1")
    algorithm = config.build_algo()
    for number in range(max(1, total_steps // BATCH)):
        result = algorithm.train()["env_runners"]
        if number % 5 == 0 or (number + 2) * BATCH > total_steps:
            print(f"{(number + 1) * BATCH:>9,} steps: mean return {result['episode_return_mean']:+.3f}")
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
