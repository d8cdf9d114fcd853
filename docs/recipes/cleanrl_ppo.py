"""PPO with action masks in one file, in the manner of CleanRL: torch and ``PevaVectorEnv``, nothing else.

Run it with ``python docs/recipes/cleanrl_ppo.py [TOTAL_STEPS]``.
"""

import sys

import gymnasium
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

N_ENVS, N_STEPS, N_EPOCHS, N_MINIBATCHES = 64, 64, 4, 8
GAMMA, LAMBDA, CLIP, ENTROPY, RATE = 0.99, 0.95, 0.2, 0.01, 1e-3


def layers(n_in, n_out, gain):
    last = nn.Linear(256, n_out)
    nn.init.orthogonal_(last.weight, gain)
    return nn.Sequential(nn.Linear(n_in, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), last)


def tensors(observation, info):
    parts = ("map", "last_config", "last_measurement", "last_mask", "progress", "budget")
    flat = np.concatenate([observation[part] for part in parts], axis=1, dtype=np.float32)
    return torch.from_numpy(flat), torch.from_numpy(info["action_mask"].astype(bool))


def policy(actor, x, mask):
    return Categorical(logits=actor(x).masked_fill(~mask, -1e8))


def main(total_steps):
    torch.manual_seed(1)
    torch.set_num_threads(1)  # networks this small lose by more
    rates_rps = {"a": range(0, 201, 20), "b": range(0, 201, 20)}
    env = gymnasium.make_vec(
        "peva_env:peva/FaasSim-v0", N_ENVS, "vector_entry_point",
        rates_rps=rates_rps, budget_runs=16, autoreset_mode="SameStep",
    )  # fmt: skip
    x, mask = tensors(*env.reset(seed=1))
    actor, critic = layers(x.shape[1], mask.shape[1], 0.01), layers(x.shape[1], 1, 1.0)
    weights = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(weights, RATE, eps=1e-5)
    running, finished = np.zeros(N_ENVS), []
    n_updates = max(1, total_steps // (N_ENVS * N_STEPS))
    for update in range(n_updates):
        optimizer.param_groups[0]["lr"] = RATE * (1 - update / n_updates)
        rows = []
        for _ in range(N_STEPS):
            with torch.no_grad():
                chosen = policy(actor, x, mask)
                action, value = chosen.sample(), critic(x)[:, 0]
            observation, reward, terminated, truncated, info = env.step(action.numpy())
            ended = terminated | truncated
            running += reward
            finished += running[ended].tolist()
            running[ended] = 0
            gained, over = torch.from_numpy(reward).float(), torch.from_numpy(ended).float()
            rows.append((x, mask, action, chosen.log_prob(action), value, gained, over))
            x, mask = tensors(observation, info)
        xs, masks, actions, old_logs, values, rewards, overs = (torch.stack(column) for column in zip(*rows))
        with torch.no_grad():
            ahead, next_value, advantages = 0.0, critic(x)[:, 0], torch.zeros_like(rewards)
            for t in reversed(range(N_STEPS)):
                delta = rewards[t] + GAMMA * next_value * (1 - overs[t]) - values[t]
                advantages[t] = ahead = delta + GAMMA * LAMBDA * (1 - overs[t]) * ahead
                next_value = values[t]
        batch = [one.flatten(0, 1) for one in (xs, masks, actions, old_logs, advantages, advantages + values)]
        for rows_of in (
            part for _ in range(N_EPOCHS) for part in torch.randperm(N_ENVS * N_STEPS).chunk(N_MINIBATCHES)
        ):
            x_, mask_, action_, old_log, advantage, target = (one[rows_of] for one in batch)
            chosen = policy(actor, x_, mask_)
            ratio = (chosen.log_prob(action_) - old_log).exp()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            gain = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            error = (critic(x_)[:, 0] - target).pow(2).mean()
            optimizer.zero_grad()
            (0.5 * error - gain - ENTROPY * chosen.entropy().mean()).backward()
            nn.utils.clip_grad_norm_(weights, 0.5)
            optimizer.step()
        if update % 10 == 0 or update == n_updates - 1:
            steps = (update + 1) * N_ENVS * N_STEPS
            print(f"{steps:>9,} steps: mean return of the last 500 episodes {np.mean(finished[-500:]):+.3f}")
    env.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
