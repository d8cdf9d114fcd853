"""Fits the networks of the learnt agent with PyTorch."""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.beliefs import Network

type Floats = NDArray[np.float64]

_BATCH = 2048
_RATE, _DECAY, _DROPOUT = 2e-3, 1e-2, 0.1


def fit(
    inputs: NDArray[np.float32],
    targets: NDArray[np.bool_],
    weights: Floats,
    *,
    hidden: tuple[int, ...] = (64, 64),
    n_steps: int = 6000,
    seed: int = 0,
) -> Network:
    """Return a network whose output is the log odds of a target, given inputs (n, d).

    Rows are drawn in proportion to their weights (n,). The loss is the cross entropy, which is least at the true odds;
    the optimizer is AdamW with a cosine learning rate.
    """
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(seed)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    standard = torch.from_numpy(((inputs - mean) / scale).clip(-5, 5))
    wanted = torch.from_numpy(targets.astype(np.float32))
    model = _model(torch, inputs.shape[1], hidden)
    optimizer = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(weights) / weights.sum()
    for _ in range(n_steps):
        rows = torch.from_numpy(np.searchsorted(cumulative, rng.random(_BATCH)).clip(max=len(inputs) - 1))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(standard[rows])[:, 0], wanted[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    layers = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    return Network.of_torch(torch.from_numpy(mean), torch.from_numpy(scale), layers)


def _model(torch: Any, n_inputs: int, hidden: tuple[int, ...]) -> Any:
    layers: list[Any] = []
    for n_outputs in hidden:
        layers += [torch.nn.Linear(n_inputs, n_outputs), torch.nn.ReLU(), torch.nn.Dropout(_DROPOUT)]
        n_inputs = n_outputs
    return torch.nn.Sequential(*layers, torch.nn.Linear(n_inputs, 1))
