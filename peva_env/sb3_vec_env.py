"""Offline campaigns side by side, of one space or of several, as a ``VecEnv`` on which Stable-Baselines3 trains.

Nothing else in ``peva_env`` imports stable_baselines3 (the extra ``train``).
"""

import time
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from peva_env.errors import ConfigError
from peva_env.observation import Observation
from peva_env.vector import PevaVectorEnv

type Indices = int | Iterable[int] | None
type Infos = list[dict[str, Any]]

_NOTHING: dict[str, Any] = {}


class PevaSB3VecEnv(VecEnv):
    """A ``PevaVectorEnv`` as a ``VecEnv`` of Stable-Baselines3.

    An environment whose episode ends begins the next episode in the same step. Its info then holds

    - ``terminal_observation``, the last observation of the episode,
    - ``TimeLimit.truncated``, whether the episode was cut short; if so, SB3 estimates the rest of its return,
    - ``episode``, its return ``r``, length ``l`` and seconds ``t`` since this object was made, as in ``Monitor``, and
      ``resolved``, the share of the map that was known at the end.

    All other environments share one empty dict as their info.

    Args:
        vector: the environments; their autoreset mode must be ``SAME_STEP``.
        ends_are_final: if true, no episode counts as cut short. The budget is part of the problem, and the observation
            holds the remaining budget, so there is no return after the budget is spent. An agent without masks needs
            this most: otherwise it would be credited with an estimated return even if it spent all its steps on known
            configurations. If false, each ``truncated`` episode counts as cut short, as in gymnasium.

    Raises:
        ConfigError: the vector environment has another autoreset mode.
    """

    def __init__(self, vector: PevaVectorEnv, *, ends_are_final: bool = False) -> None:
        if vector.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ConfigError(f"autoreset_mode = {vector.autoreset_mode.value!r}: SB3 needs 'SameStep'")
        self.vector = vector
        self._ends_are_final = ends_are_final
        self._parts = tuple(vector.single_observation_space.spaces)  # type: ignore[attr-defined]
        self._actions: NDArray[Any] = np.zeros(vector.num_envs, np.int64)
        self._returns = np.zeros(vector.num_envs)
        self._lengths = np.zeros(vector.num_envs, np.int64)
        self._started_s = time.monotonic()
        super().__init__(vector.num_envs, vector.single_observation_space, vector.single_action_space)

    def reset(self) -> Observation:
        """Begin an episode in each environment, with the seeds and options set since the last reset.

        Raises:
            ConfigError: an option is unknown, or the options of the environments differ.
        """
        if any(options != self._options[0] for options in self._options):
            raise ConfigError("options of environments side by side must be the same for all of them")
        observation, infos = self.vector.reset(seed=self._seeds, options=self._options[0])
        self.reset_infos = [{"scenario": int(number)} for number in infos["scenario"]]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0
        self._lengths[:] = 0
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Store the actions (n,) for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> tuple[Observation, NDArray[np.float32], NDArray[np.bool_], Infos]:
        """Return observations, rewards (n,), whether each episode has ended (n,), and a dict for each environment."""
        n_configs = self.vector.n_configs  # before an episode of another scenario begins
        observation, rewards, terminated, truncated, infos = self.vector.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        ended = terminated | truncated
        ends: Infos = [_NOTHING] * self.num_envs
        if ended.any():
            resolved = 1 - infos["final_info"]["n_unknown"] / n_configs
            for i in ended.nonzero()[0]:
                cut_short = bool(truncated[i]) and not self._ends_are_final
                ends[i] = self._ending(int(i), infos["final_obs"], cut_short, float(resolved[i]))
            self._returns[ended] = 0
            self._lengths[ended] = 0
        return observation, rewards.astype(np.float32), ended, ends

    def seed(self, seed: int | Sequence[int] | None = None) -> Sequence[int | None]:
        """Set the seeds of the next reset: environment ``i`` gets ``seed + i``, or the ``i``-th of a sequence."""
        if seed is None or isinstance(seed, int):
            seeds: Sequence[int | None] = super().seed(seed)
            return seeds
        self._seeds = list(seed)
        return self._seeds

    def close(self) -> None:
        """Release the environments."""
        self.vector.close()

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the masks of legal actions, (n, N), or (n, K) in the view of candidates."""
        return self.vector.action_masks()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute that all environments share, once for each index.

        Raises:
            AttributeError: there is no attribute of that name.
        """
        return [getattr(self.vector, attr_name)] * len(self._which(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:  # noqa: ARG002
        """Raise AttributeError: environments side by side have no attributes of their own."""
        raise AttributeError(f"{attr_name} cannot be set: environments side by side share their attributes")

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Return the masks of environments, each (N,) or (K,), for ``action_masks``, the only method they have.

        Raises:
            AttributeError: another method is called.
        """
        if method_name != "action_masks" or args or kwargs:
            raise AttributeError(f"environments side by side have the method action_masks() alone, not {method_name}")
        return list(self.action_masks()[self._which(indices)])

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """Return True for ``Monitor`` alone, whose statistics this class keeps itself."""
        return [wrapper_class.__name__ == "Monitor"] * len(self._which(indices))

    def _which(self, indices: Indices) -> Sequence[int]:
        return list(self._get_indices(indices))

    def _ending(self, i: int, finals: Observation, cut_short: bool, resolved: float) -> dict[str, Any]:
        return {
            "terminal_observation": {name: finals[name][i] for name in self._parts},
            "TimeLimit.truncated": cut_short,
            "episode": {
                "r": float(self._returns[i]),
                "l": int(self._lengths[i]),
                "t": time.monotonic() - self._started_s,
                "resolved": resolved,
            },
        }


class SpacesSB3VecEnv(VecEnv):
    """Environments of several spaces as one ``VecEnv``, on which one policy trains for all of them.

    All must have the same observations and actions, as the view of candidates has for every space. Environment ``i`` is
    the ``i``-th of all parts, in their order.

    Args:
        parts: the environments of each space.

    Raises:
        ConfigError: there is no part, or their observations or actions differ.
    """

    def __init__(self, parts: Sequence[PevaSB3VecEnv]) -> None:
        if not parts:
            raise ConfigError("parts: give the environments of at least one space")
        first = parts[0]
        for part in parts[1:]:
            if (part.observation_space, part.action_space) != (first.observation_space, first.action_space):
                raise ConfigError(
                    f"{first.vector.space} and {part.vector.space}: observations or actions are of different shapes; "
                    "give all environments view='candidates' and the same k"
                )
        self.parts = tuple(parts)
        bounds = np.cumsum([0, *(part.num_envs for part in parts)]).tolist()
        self._slices = [slice(*pair) for pair in pairwise(bounds)]
        super().__init__(bounds[-1], parts[0].observation_space, parts[0].action_space)

    def reset(self) -> Observation:
        """Begin an episode in each environment; see ``PevaSB3VecEnv.reset``."""
        for part, own in zip(self.parts, self._slices, strict=True):
            part.seed(self._seeds[own])
            part.set_options(self._options[own])
        observations = [part.reset() for part in self.parts]
        self.reset_infos = [info for part in self.parts for info in part.reset_infos]
        self._reset_seeds()
        self._reset_options()
        return _joined(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Store the actions (n,) for ``step_wait``."""
        for part, own in zip(self.parts, self._slices, strict=True):
            part.step_async(actions[own])

    def step_wait(self) -> tuple[Observation, NDArray[np.float32], NDArray[np.bool_], Infos]:
        """Return observations, rewards (n,), whether each episode has ended (n,), and a dict for each environment."""
        observations, rewards, ended, infos = zip(*(part.step_wait() for part in self.parts), strict=True)
        return _joined(observations), np.concatenate(rewards), np.concatenate(ended), [*chain(*infos)]

    def seed(self, seed: int | Sequence[int] | None = None) -> Sequence[int | None]:
        """Set the seeds of the next reset; see ``PevaSB3VecEnv.seed``."""
        if seed is None or isinstance(seed, int):
            seeds: Sequence[int | None] = super().seed(seed)
            return seeds
        self._seeds = list(seed)
        return self._seeds

    def close(self) -> None:
        """Release the environments."""
        for part in self.parts:
            part.close()

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the masks of legal actions, (n, K)."""
        return np.concatenate([part.action_masks() for part in self.parts])

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute of the environments, once for each index."""
        everywhere = [value for part in self.parts for value in part.get_attr(attr_name)]
        return [everywhere[i] for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:  # noqa: ARG002
        """Raise AttributeError; see ``PevaSB3VecEnv.set_attr``."""
        self.parts[0].set_attr(attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Return what a method returns, once for each index; see ``PevaSB3VecEnv.env_method``."""
        everywhere = [value for part in self.parts for value in part.env_method(method_name, *args, **kwargs)]
        return [everywhere[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """Return True for ``Monitor`` alone; see ``PevaSB3VecEnv.env_is_wrapped``."""
        return self.parts[0].env_is_wrapped(wrapper_class)[:1] * len(list(self._get_indices(indices)))


def _joined(observations: Sequence[Observation]) -> Observation:
    return {name: np.concatenate([own[name] for own in observations]) for name in observations[0]}
