"""The networks that maskable PPO trains: an actor that scores each candidate by itself, and a critic of all together.

Notation: ``n`` observations, ``K`` candidates, ``d`` inputs of each; see ``peva_agents.training.candidates``.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from torch import Tensor, nn

from peva_agents.beliefs import FARTHEST, SCORE_INPUT, Network

_FIRST_SHARPNESS = 10.0
"""What scores are multiplied by to begin with: differences of a tenth matter then, and others are tried as well."""

_N_POOLED = 32


class CandidateNetworks(nn.Module):
    """The actor's logits are ``sharpness (score + correction)``; the critic pools over the candidates.

    Args:
        mean: of the inputs, (d,).
        scale: their standard deviations, (d,).
        hidden: how many units the correction has.
    """

    def __init__(self, mean: NDArray[np.float64], scale: NDArray[np.float64], hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("scale", torch.from_numpy(scale.astype(np.float32)))
        n_inputs = len(mean)
        self.correction = nn.Sequential(nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.log_sharpness = nn.Parameter(torch.tensor(np.log(_FIRST_SHARPNESS), dtype=torch.float32))
        self.each = nn.Sequential(nn.Linear(n_inputs, _N_POOLED), nn.ReLU())
        self.all = nn.Sequential(nn.Linear(2 * _N_POOLED, 64), nn.Tanh())
        self.latent_dim_pi, self.latent_dim_vf = 1, 64

    def forward(self, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, K) and what the value is made of, for flat observations (n, K (d + 1))."""
        return self.forward_actor(observed), self.forward_critic(observed)

    def forward_actor(self, observed: Tensor) -> Tensor:
        """Return logits, (n, K)."""
        inputs, _ = self._split(observed)
        corrected: Tensor = inputs[..., SCORE_INPUT] + self.correction(self._standard(inputs))[..., 0]
        return self.log_sharpness.exp() * corrected

    def forward_critic(self, observed: Tensor) -> Tensor:
        """Return the mean and the greatest of what each candidate tells, mixed."""
        inputs, there = self._split(observed)
        told = self.each(self._standard(inputs)) * there
        mean = told.sum(dim=1) / there.sum(dim=1).clamp(min=1)
        mixed: Tensor = self.all(torch.cat([mean, told.amax(dim=1)], dim=1))
        return mixed

    def network(self) -> Network:
        """Return the correction as it runs without PyTorch."""
        layers = [layer for layer in self.correction if isinstance(layer, nn.Linear)]
        return Network.of_torch(self.mean, self.scale, layers)

    def _split(self, observed: Tensor) -> tuple[Tensor, Tensor]:
        rows = observed.reshape(len(observed), -1, len(self.mean) + 1)
        return rows[..., :-1], rows[..., -1:]

    def _standard(self, inputs: Tensor) -> Tensor:
        standard: Tensor = ((inputs - self.mean) / self.scale).clamp(-FARTHEST, FARTHEST)
        return standard


class CandidatePolicy(MaskableActorCriticPolicy):
    """The policy of maskable PPO with such networks; ``network_kwargs`` are theirs."""

    def __init__(self, *args: Any, network_kwargs: dict[str, Any], **kwargs: Any) -> None:
        self._network_kwargs = network_kwargs
        super().__init__(*args, **kwargs)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = CandidateNetworks(**self._network_kwargs)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()  # the actor's outputs are logits already
        nn.init.zeros_(self.mlp_extractor.correction[-1].weight)  # so that it begins at the score
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
