"""The environments that a model learns on, as a ``VecEnv`` of Stable-Baselines3."""

from collections.abc import Sequence
from typing import Any, cast

from numpy.typing import NDArray

from peva_agents.training.side_by_side import SideBySide
from peva_env.sb3_vec_env import PevaSB3VecEnv, SpacesSB3VecEnv
from peva_env.vector import PevaVectorEnv


class SteppedPart(PevaSB3VecEnv):
    """Environments of one shape of space, whose steps begin in ``step_async``."""

    def __init__(self, env: SideBySide) -> None:
        super().__init__(cast(PevaVectorEnv, env), ends_are_final=True)  # all that is used of it is there
        self._env = env

    def step_async(self, actions: NDArray[Any]) -> None:
        """Let the step begin."""
        super().step_async(actions)
        self._env.begin_step(actions)


def learning_env(envs: Sequence[SideBySide]) -> Any:
    """Return environments, of each shape of space, as one ``VecEnv``."""
    parts = [SteppedPart(env) for env in envs]
    return parts[0] if len(parts) == 1 else SpacesSB3VecEnv(parts)
