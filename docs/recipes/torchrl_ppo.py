"""PPO of TorchRL: ``GymWrapper``, the ``ActionMask`` transform, a collector, and masked actions.

Run it with ``python docs/recipes/torchrl_ppo.py [TOTAL_STEPS]``.
"""

import sys

import gymnasium
import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.data import Binary
from torchrl.envs import ActionMask, Compose, DTypeCastTransform, GymWrapper, InitTracker, RewardSum, TransformedEnv
from torchrl.envs.gym_like import default_info_dict_reader
from torchrl.modules import MaskedCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

BATCH = 2048


def make_env():
    rates_rps = {"a": range(0, 201, 20), "b": range(0, 201, 20)}
    base = gymnasium.make("peva_env:peva/FaasSim-v1", rates_rps=rates_rps, budget_runs=16)
    env = GymWrapper(gymnasium.wrappers.FlattenObservation(base), categorical_action_encoding=True)
    mask = Binary(base.action_space.n, dtype=torch.int8)
    env.set_info_dict_reader(default_info_dict_reader(["action_mask"], spec=[mask]))
    as_bool = DTypeCastTransform(torch.int8, torch.bool, in_keys=["action_mask"])
    return TransformedEnv(env, Compose(as_bool, ActionMask(), InitTracker(), RewardSum()))


def layers(n_out):
    return nn.Sequential(nn.LazyLinear(256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, n_out))


def main(total_steps):
    torch.manual_seed(1)
    torch.set_num_threads(1)  # networks this small lose by more
    env = make_env()
    logits = TensorDictModule(layers(env.action_spec.space.n), in_keys=["observation"], out_keys=["logits"])
    actor = ProbabilisticActor(
        logits, in_keys={"logits": "logits", "mask": "action_mask"}, spec=env.action_spec,
        distribution_class=MaskedCategorical, return_log_prob=True,
    )  # fmt: skip
    critic = ValueOperator(layers(1), in_keys=["observation"])
    first = env.reset()
    actor(first), critic(first)
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.01, critic_coeff=0.5)
    optimizer = torch.optim.Adam(loss.parameters(), 1e-3)
    collector = Collector(env, actor, frames_per_batch=BATCH, total_frames=max(total_steps, BATCH))
    for number, batch in enumerate(collector):
        with torch.no_grad():
            advantage(batch)
        for part in (part for _ in range(4) for part in torch.randperm(len(batch)).chunk(8)):
            losses = loss(batch[part])
            optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]).backward()
            nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
            optimizer.step()
        if number % 5 == 0 or (number + 1) * BATCH >= total_steps:
            over = batch["next", "done"]
            returns = batch["next", "episode_reward"][over]
            print(f"{(number + 1) * BATCH:>9,} steps: mean return of {len(returns)} episodes {returns.mean():+.3f}")
    collector.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
