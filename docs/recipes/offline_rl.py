"""Behaviour cloning, IQL and TD3+BC in one file, in the manner of CleanRL: torch and a Minari dataset of candidates.

IQL is that of Kostrikov, Nair and Levine, "Offline reinforcement learning with implicit Q-learning" (2022), TD3+BC that
of Fujimoto and Gu, "A minimalist approach to offline reinforcement learning" (2021), for actions that are rows. Run it
with ``python docs/recipes/offline_rl.py [TRAINING_STEPS [EPISODES [TEST_NODES]]]``.
"""

import copy
import subprocess
import sys

import gymnasium
import minari
import numpy as np
import torch
from torch import nn

ENV = {"rates_rps": {"a": range(0, 201, 20), "b": range(0, 201, 20)}, "budget_runs": 16, "view": "candidates"}
EXPORT = ["--sim", "random", "--rates", "a=0:200:20", "--rates", "b=0:200:20", "--budget-runs", "16"]
EXPORT += ["--view", "candidates", "--agent", "learnt:0.3,uniform:0.7", "--epsilon", "0.1"]
BATCH, GAMMA, EXPECTILE, TEMPERATURE, MAX_WEIGHT, TRACKING, RATE = 128, 0.99, 0.8, 10.0, 100.0, 0.01, 1e-3
ALPHA, ACTOR_EVERY = 2.5, 2


class Rows(nn.Module):
    """A number for each candidate, (n, K); all candidates share the weights."""

    def __init__(self, n_features):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, rows):
        return self.layers(rows)[..., 0]


def inputs(observation):
    """Return what is known of each candidate, (n, K, d + c): its features, and those that all share."""
    rows, context = (torch.as_tensor(observation[name]) for name in ("candidates", "context"))
    return torch.cat([rows, context[:, None].expand(-1, rows.shape[1], -1)], dim=2)


def load(dataset):
    """Return the transitions of a dataset, each as a tensor with a row for each step."""
    parts = []
    for episode in dataset:
        x, mask = inputs(episode.observations), torch.as_tensor(episode.infos["action_mask"]).bool()
        # An episode cut off by its budget ends: its last reward has charged all that is unknown.
        over = torch.as_tensor(episode.terminations | episode.truncations).float()
        action, reward = torch.as_tensor(episode.actions), torch.as_tensor(episode.rewards).float()
        parts.append((x[:-1], mask[:-1], action, reward, over, x[1:], mask[1:]))
    return [torch.cat(column) for column in zip(*parts)]


def log_probs(actor, x, mask):
    return actor(x).masked_fill(~mask, -1e8).log_softmax(dim=1)


def pooled(x, mask):
    """Return a state as one row, (n, 2 (d + c)): means and maxima over its candidates."""
    shown = mask[..., None]
    n = shown.sum(dim=1).clamp(min=1)
    return torch.cat([(x * shown).sum(dim=1) / n, x.masked_fill(~shown, -1e3).amax(dim=1).clamp(min=-30)], dim=1)


def batch(data):
    chosen = torch.randint(len(data[0]), (BATCH,))
    return [part[chosen] for part in data]


def clone(data, n_steps, n_features):
    """Learn to act as the dataset did."""
    actor = Rows(n_features)
    optimizer = torch.optim.Adam(actor.parameters(), RATE)
    for _ in range(n_steps):
        x, mask, action, *_ = batch(data)
        loss = -log_probs(actor, x, mask).gather(1, action[:, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return actor


def iql(data, n_steps, n_features):
    """Learn which of the dataset's actions were better than its average, and take these more often."""
    actor, critic, value = Rows(n_features), Rows(n_features), Rows(2 * n_features)
    target = copy.deepcopy(critic)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), *value.parameters()], RATE)
    for _ in range(n_steps):
        x, mask, action, reward, over, next_x, next_mask = batch(data)
        with torch.no_grad():
            q = target(x).gather(1, action[:, None])[:, 0]
            goal = reward + GAMMA * (1 - over) * value(pooled(next_x, next_mask))
        v = value(pooled(x, mask))
        advantage = q - v
        value_loss = ((advantage > 0).float() - (1 - EXPECTILE)).abs() * advantage**2
        critic_loss = (critic(x).gather(1, action[:, None])[:, 0] - goal) ** 2
        weight = (TEMPERATURE * advantage.detach()).exp().clamp(max=MAX_WEIGHT)
        actor_loss = -weight * log_probs(actor, x, mask).gather(1, action[:, None])[:, 0]
        optimizer.zero_grad()
        (value_loss + critic_loss + actor_loss).mean().backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), critic.parameters()):
                slow.lerp_(fast, TRACKING)
    return actor


def td3_bc(data, n_steps, n_features):
    """Learn the actions of highest value, but stay near those of the dataset."""
    actor, critics = Rows(n_features), nn.ModuleList([Rows(n_features), Rows(n_features)])
    target_actor, target_critics = copy.deepcopy(actor), copy.deepcopy(critics)
    actor_optimizer, critic_optimizer = (torch.optim.Adam(part.parameters(), RATE) for part in (actor, critics))
    for step in range(n_steps):
        x, mask, action, reward, over, next_x, next_mask = batch(data)
        with torch.no_grad():  # the mean over the policy's actions stands for TD3's smoothing by noise
            next_p = log_probs(target_actor, next_x, next_mask).exp()
            next_q = torch.minimum(*(critic(next_x) for critic in target_critics))
            goal = reward + GAMMA * (1 - over) * (next_p * next_q).sum(dim=1)
        taken = [critic(x).gather(1, action[:, None])[:, 0] for critic in critics]
        critic_optimizer.zero_grad()
        sum(((q - goal) ** 2).mean() for q in taken).backward()
        critic_optimizer.step()
        if step % ACTOR_EVERY:
            continue
        log_p, q = log_probs(actor, x, mask), critics[0](x).detach()
        weight = ALPHA / q.gather(1, action[:, None]).abs().mean()
        cloning = log_p.gather(1, action[:, None])[:, 0]
        actor_optimizer.zero_grad()
        (-(weight * (log_p.exp() * q).sum(dim=1) + cloning).mean()).backward()
        actor_optimizer.step()
        with torch.no_grad():
            for slow, fast in zip((target_actor, target_critics), (actor, critics)):
                for slow_part, fast_part in zip(slow.parameters(), fast.parameters()):
                    slow_part.lerp_(fast_part, TRACKING)
    return actor


def play(actor, n_nodes):
    """Return the mean return of the likeliest actions on nodes that are in no dataset."""
    env = gymnasium.make_vec("peva_env:peva/FaasSim-v1", n_nodes, "vector_entry_point", **ENV)
    observation, info = env.reset(seed=1_000_000)
    returns, running = np.zeros(n_nodes), np.ones(n_nodes, bool)
    while running.any():
        with torch.no_grad():
            action = log_probs(actor, inputs(observation), torch.as_tensor(info["action_mask"]).bool()).argmax(dim=1)
        observation, reward, terminated, truncated, info = env.step(action.numpy())
        returns += reward * running
        running &= ~(terminated | truncated)
    return returns.mean()


def main(n_steps=2048, n_episodes=200, n_nodes=256):
    torch.manual_seed(0)
    torch.set_num_threads(1)  # with networks this small, more threads mostly wait for each other
    ask = [*EXPORT, "--episodes", str(n_episodes)]
    subprocess.run(["peva-env", "export", "--minari", "peva/offline-v0", "--force", *ask], check=True)
    dataset = minari.load_dataset("peva/offline-v0")
    played = {"learnt": [], "uniform": []}
    for metadata in dataset.storage.get_episode_metadata(range(len(dataset))):
        played[metadata["behaviour"]].append(metadata["rewards_sum"])
    for name, returns in played.items():
        print(f"mean return of {name} in the dataset {np.mean(returns):+.3f}")
    data = load(dataset)
    n_features = data[0].shape[2]
    print(f"mean return of an untrained network {play(Rows(n_features), n_nodes):+.3f}")
    for name, learn in (("behaviour cloning", clone), ("IQL", iql), ("TD3+BC", td3_bc)):
        print(f"mean return of {name} {play(learn(data, n_steps, n_features), n_nodes):+.3f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
