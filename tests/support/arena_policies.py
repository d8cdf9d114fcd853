"""Policies for the arena, where its processes can import them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.uniform import UniformPolicy
from peva_env.contracts import ExecutionEvent, PolicyContext
from peva_env.space import Config

_CAPACITY_RPS = 250


class Guessing(UniformPolicy):
    """Asks as the uniform agent does, and takes a total rate for what decides."""

    def setup(self, context: PolicyContext) -> None:
        self._rng = np.random.default_rng(context.seed)

    def predict(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        return np.array([float(sum(rate for _, rate in config) > _CAPACITY_RPS) for config in configs])


class Failing(UniformPolicy):
    """Breaks down at its third event."""

    def __init__(self) -> None:
        super().__init__()
        self._n_events = 0

    def update_online(self, event: ExecutionEvent) -> None:
        self._n_events += 1

    def choose_batch(self, **offered: Any) -> list[Config]:
        if self._n_events > 2:
            raise RuntimeError("out of ideas")
        return super().choose_batch(**offered)
