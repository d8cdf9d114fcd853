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


class Players:
    """The environments, what they show now, and the returns of the episodes that have ended."""

    def __init__(self, **arguments):
        self.env = gymnasium.make_vec("peva_env:peva/FaasSim-v1", N_ENVS, "vector_entry_point", **arguments)
        self.x, self.mask = tensors(*self.env.reset(seed=1))
        self.running, self.finished = np.zeros(N_ENVS), []

    def play(self, actor, critic):
        """Return N_STEPS steps: inputs, masks, actions, their log-probabilities, values, rewards and ends."""
        rows = []
        for _ in range(N_STEPS):
            with torch.no_grad():
                chosen = policy(actor, self.x, self.mask)
                action, value = chosen.sample(), critic(self.x)[:, 0]
            observation, reward, terminated, truncated, info = self.env.step(action.numpy())
            ended = terminated | truncated
            self.running += reward
            self.finished += self.running[ended].tolist()
            self.running[ended] = 0
            gained, over = torch.from_numpy(reward).float(), torch.from_numpy(ended).float()
            rows.append((self.x, self.mask, action, chosen.log_prob(action), value, gained, over))
            self.x, self.mask = tensors(observation, info)
        return [torch.stack(column) for column in zip(*rows)]


def advantages_of(values, rewards, overs, next_value):
    ahead, advantages = 0.0, torch.zeros_like(rewards)
    for t in reversed(range(N_STEPS)):
        delta = rewards[t] + GAMMA * next_value * (1 - overs[t]) - values[t]
        advantages[t] = ahead = delta + GAMMA * LAMBDA * (1 - overs[t]) * ahead
        next_value = values[t]
    return advantages


def learn(actor, critic, optimizer, batch):
    weights = [*actor.parameters(), *critic.parameters()]
    for rows in (part for _ in range(N_EPOCHS) for part in torch.randperm(N_ENVS * N_STEPS).chunk(N_MINIBATCHES)):
        x, mask, action, old_log, advantage, target = (one[rows] for one in batch)
        chosen = policy(actor, x, mask)
        ratio = (chosen.log_prob(action) - old_log).exp()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        gain = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
        error = (critic(x)[:, 0] - target).pow(2).mean()
        optimizer.zero_grad()
        (0.5 * error - gain - ENTROPY * chosen.entropy().mean()).backward()
        nn.utils.clip_grad_norm_(weights, 0.5)
        optimizer.step()


def main(total_steps):
    torch.manual_seed(1)
    torch.set_num_threads(1)  # networks this small lose by more
    rates_rps = {"a": range(0, 201, 20), "b": range(0, 201, 20)}
    players = Players(rates_rps=rates_rps, budget_runs=16, autoreset_mode="SameStep")
    actor = layers(players.x.shape[1], players.mask.shape[1], 0.01)
    critic = layers(players.x.shape[1], 1, 1.0)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], RATE, eps=1e-5)
    n_updates = max(1, total_steps // (N_ENVS * N_STEPS))
    for update in range(n_updates):
        optimizer.param_groups[0]["lr"] = RATE * (1 - update / n_updates)
        xs, masks, actions, logs, values, rewards, overs = players.play(actor, critic)
        with torch.no_grad():
            advantages = advantages_of(values, rewards, overs, critic(players.x)[:, 0])
        batch = [one.flatten(0, 1) for one in (xs, masks, actions, logs, advantages, advantages + values)]
        learn(actor, critic, optimizer, batch)
        if update % 10 == 0 or update == n_updates - 1:
            steps, last = (update + 1) * N_ENVS * N_STEPS, np.mean(players.finished[-500:])
            print(f"{steps:>9,} steps: mean return of the last 500 episodes {last:+.3f}")
    players.env.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
