"""A small feed-forward network in NumPy, so that a learnt agent runs without PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

FARTHEST = 5.0
"""Standardised inputs are clipped to this many standard deviations, so that the network does not extrapolate."""


@dataclass(frozen=True)
class Network:
    """Standardised inputs, layers ``max(0, x W + b)``, and a last layer ``x W + b`` with one output.

    ``mean`` and ``scale`` are (d,); layers are pairs of weights (inputs, outputs) and biases (outputs,).
    """

    mean: Floats
    scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    def __call__(self, inputs: Floats) -> Floats:
        """Return the output for each row of the inputs (k, d), (k,)."""
        hidden = ((inputs - self.mean) / self.scale).clip(-FARTHEST, FARTHEST)
        for weights, biases in self.layers[:-1]:
            hidden = np.maximum(hidden @ weights + biases, 0)
        weights, biases = self.layers[-1]
        outputs: Floats = (hidden @ weights + biases)[:, 0]
        return outputs

    def arrays(self, name: str) -> dict[str, Floats]:
        """Return the arrays of the network, each under a key that begins with ``name``."""
        weights = {f"{name}.w{i}": weights for i, (weights, _) in enumerate(self.layers)}
        biases = {f"{name}.b{i}": biases for i, (_, biases) in enumerate(self.layers)}
        return {f"{name}.mean": self.mean, f"{name}.scale": self.scale, **weights, **biases}

    @classmethod
    def of(cls, arrays: Mapping[str, Floats], name: str, *, n_inputs: int) -> Self:
        """Return the network with ``n_inputs`` inputs whose arrays were stored under ``name``.

        Raises:
            KeyError: an array is missing.
            ValueError: the arrays do not make such a network.
        """
        n_layers = sum(key.startswith(f"{name}.w") for key in arrays)
        layers = [(arrays[f"{name}.w{i}"], arrays[f"{name}.b{i}"]) for i in range(n_layers)]
        found = cls(arrays[f"{name}.mean"], arrays[f"{name}.scale"], tuple(layers))
        if not layers:
            raise ValueError(f"{name} has no layers")
        found(np.zeros((1, n_inputs)))  # raises ValueError where shapes do not fit
        return found

    @classmethod
    def of_torch(cls, mean: Any, scale: Any, layers: Sequence[Any]) -> Self:
        """Return the network of ``torch.nn.Linear`` layers with ReLU between them; inputs are standardised before."""
        pairs = [(_numpy(layer.weight).T, _numpy(layer.bias)) for layer in layers]
        return cls(_numpy(mean), _numpy(scale), tuple(pairs))


def _numpy(tensor: Any) -> Floats:
    numbers: Floats = tensor.detach().numpy().astype(np.float64)
    return numbers
