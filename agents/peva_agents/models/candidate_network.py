"""The network of the candidate view in PyTorch, and the policies of Stable-Baselines3 that are made of it.

``peva_agents.models.candidate_scores`` has its formula and its notation, and computes the same scores without PyTorch.
"""

from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.dqn.policies import MultiInputPolicy, QNetwork
from torch import Tensor, nn

from peva_agents.models.candidate_scores import NO_SCORE, scales, seen_context


class Scores(nn.Module):
    """Scores each candidate; at the start all scores are 0.

    Args:
        k: number of rows of the flat features, which are all rows, then the context.
        n_units: ``H``.
    """

    row_scale: Tensor
    context_scale: Tensor

    def __init__(self, k: int, n_units: int) -> None:
        super().__init__()
        row_scale, context_scale = (torch.from_numpy(scale) for scale in scales())
        self._k = k
        self.register_buffer("row_scale", row_scale)
        self.register_buffer("context_scale", context_scale * torch.from_numpy(seen_context()))
        self.first = nn.Linear(len(row_scale), n_units)
        self.second = nn.Linear(n_units, n_units)
        self.of_pool = nn.Linear(2 * n_units + len(context_scale), n_units, bias=False)
        self.score = nn.Linear(n_units, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, flat: Tensor) -> Tensor:
        """Return the scores (n, K) of flat features (n, K d + c)."""
        first, pooled, there = self.pool(flat)
        return self.scored(flat, first, pooled, there)

    def pool(self, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the first layer (n, K, H), its pools (n, 2 H), and which rows have a candidate (n, K)."""
        d = len(self.row_scale)
        rows = flat[:, : self._k * d].reshape(len(flat), self._k, d)
        there = (rows != 0).any(dim=2)
        first = torch.relu(self.first(rows * self.row_scale)) * there[..., None]
        n_there = there.sum(dim=1).clamp(min=1)[:, None]
        return first, torch.cat([first.sum(dim=1) / n_there, first.amax(dim=1)], dim=1), there

    def scored(self, flat: Tensor, first: Tensor, pooled: Tensor, there: Tensor) -> Tensor:
        """Return the scores (n, K) from what ``pool`` returned."""
        context = flat[:, self._k * len(self.row_scale) :] * self.context_scale
        of_pool = self.of_pool(torch.cat([pooled, context], dim=1))
        second = torch.relu(self.second(first) + of_pool[:, None])
        scores: Tensor = self.score(second)[..., 0]
        return scores.masked_fill(~there, NO_SCORE)


class ActorAndCritic(nn.Module):
    """The scores, and the value of the campaign from the pools and the whole context, as SB3's ``mlp_extractor``.

    The critic sees the budget, too: how much reward is left depends on it, but which candidate is best hardly does.
    """

    value_scale: Tensor

    def __init__(self, k: int, n_units: int) -> None:
        super().__init__()
        self.scores = Scores(k, n_units)
        value_scale = torch.from_numpy(scales()[1])
        self.register_buffer("value_scale", value_scale)
        self.value = nn.Linear(2 * n_units + len(value_scale), n_units)
        self.latent_dim_pi, self.latent_dim_vf = k, n_units

    def forward(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores (n, K), and the last hidden layer of the value (n, H)."""
        first, pooled, there = self.scores.pool(flat)
        return self.scores.scored(flat, first, pooled, there), self._value(flat, pooled)

    def forward_actor(self, flat: Tensor) -> Tensor:
        """Return the scores (n, K)."""
        scores: Tensor = self.scores(flat)
        return scores

    def forward_critic(self, flat: Tensor) -> Tensor:
        """Return the last hidden layer of the value (n, H)."""
        return self._value(flat, self.scores.pool(flat)[1])

    def _value(self, flat: Tensor, pooled: Tensor) -> Tensor:
        context = flat[:, -len(self.value_scale) :] * self.value_scale
        return torch.relu(self.value(torch.cat([pooled, context], dim=1)))


class _OfCandidates:
    """What the policies of PPO share: the network above, whose scores are the logits of the actions."""

    def _build_mlp_extractor(self: Any) -> None:
        self.mlp_extractor = ActorAndCritic(int(self.action_space.n), _units(self.net_arch)).to(self.device)

    def _build(self: Any, lr_schedule: Any) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        self.action_net = nn.Identity()
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)


class MaskableCandidatePolicy(_OfCandidates, MaskableMultiInputActorCriticPolicy):
    """The policy of maskable PPO in the candidate view."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "ortho_init": False})


class CandidatePolicy(_OfCandidates, MultiInputActorCriticPolicy):
    """The policy of PPO in the candidate view."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "ortho_init": False})


class CandidateQNetwork(QNetwork):
    """The Q-network of DQN in the candidate view: a score is the value of an action."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.q_net: Any = Scores(int(self.action_space.n), _units(self.net_arch))


class CandidateDQNPolicy(MultiInputPolicy):
    """The policy of DQN in the candidate view."""

    def make_q_net(self) -> CandidateQNetwork:
        """Return a new network; DQN asks for two, the learned one and its target."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        network: CandidateQNetwork = CandidateQNetwork(**arguments).to(self.device)
        return network


def scores_of(policy: Any) -> Scores:
    """Return the network of a policy that scores candidates."""
    found: Scores = policy.q_net.q_net if hasattr(policy, "q_net") else policy.mlp_extractor.scores
    return found


def _units(net_arch: Any) -> int:
    if len(net_arch) != 1:
        raise ValueError(f"net_arch = {net_arch}: the view of candidates has one width, as in [48]")
    return int(net_arch[0])
