"""The environments of a training, side by side: those of each shape of space step in a worker of their own.

A shape is never split, because features that are computed for other numbers of environments differ in their last bits.
So the results depend neither on the number of workers nor on where they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from peva_agents.arena import Part
from peva_agents.training.worlds import TrainingWorlds, worlds_of
from peva_agents.turns import Hosted, Turns
from peva_env.config.offline import TrainingConfig
from peva_env.observation import Observation
from peva_env.space import ConfigSpace
from peva_env.vector import PevaVectorEnv

type Arrays = dict[str, Any]
type Step = tuple[Observation, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], Arrays]


class SideBySide(Protocol):
    """Environments of one shape of space, as ``PevaVectorEnv``, whose steps can begin before they are waited for."""

    num_envs: int

    @property
    def n_configs(self) -> NDArray[np.int64]:
        """The number of configurations of each environment that can be measured, (n,)."""
        ...

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Observation, Arrays]:
        """Begin an episode in each environment."""
        ...

    def begin_step(self, actions: NDArray[Any]) -> None:
        """Let the step that ``step`` is called for next begin."""
        ...

    def step(self, actions: NDArray[Any]) -> Step:
        """Do a step, or wait for the one that has begun."""
        ...

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the masks of legal actions."""
        ...

    def close(self) -> None:
        """Release the environments."""
        ...


class StepsHere(PevaVectorEnv):
    """Environments in this process."""

    def begin_step(self, actions: NDArray[Any]) -> None:
        """Do nothing: ``step`` does all of it."""


class _Shown(NamedTuple):
    """What an environment shows after ``reset`` or ``step``, whose result comes first."""

    result: tuple[Any, ...]
    masks: NDArray[np.bool_]
    n_configs: NDArray[np.int64]


class EnvHost:
    """Environments in a worker."""

    def __init__(self, settings: str, part: Part, number: int, n_envs: int) -> None:
        self._env = worlds_of(settings).vector(part, number, n_envs, PevaVectorEnv)

    def spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any], ConfigSpace]:
        """Return the spaces of observations and of actions, and that of configurations."""
        return self._env.single_observation_space, self._env.single_action_space, self._env.space

    def do(self, method: str, arguments: Mapping[str, Any]) -> _Shown:
        """Do a ``reset`` or ``step``."""
        result = getattr(self._env, method)(**arguments)
        return _Shown(result, self._env.action_masks(), self._env.n_configs)


class StepsElsewhere:
    """Environments that a worker hosts."""

    def __init__(self, hosted: Hosted, n_envs: int) -> None:
        self.num_envs = n_envs
        self.autoreset_mode = AutoresetMode.SAME_STEP
        self.render_mode = None
        self.single_observation_space, self.single_action_space, self.space = hosted.ask("spaces")()
        self._hosted = hosted
        self._pending: Callable[[], _Shown] | None = None

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Observation, Arrays]:
        """See ``PevaVectorEnv.reset``."""
        observation, infos = self._shown(self._hosted.ask("do", "reset", {"seed": seed, "options": options}))
        return observation, infos

    def begin_step(self, actions: NDArray[Any]) -> None:
        """See ``SideBySide``."""
        self._pending = self._hosted.ask("do", "step", {"actions": actions})

    def step(self, actions: NDArray[Any]) -> Step:
        """See ``PevaVectorEnv.step``."""
        if self._pending is None:
            self.begin_step(actions)
        assert self._pending is not None  # noqa: S101 - it has begun
        pending, self._pending = self._pending, None
        observation, rewards, terminated, truncated, infos = self._shown(pending)
        return observation, rewards, terminated, truncated, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """See ``PevaVectorEnv.action_masks``."""
        return self._masks

    @property
    def n_configs(self) -> NDArray[np.int64]:
        """See ``SideBySide``."""
        return self._n_configs

    def close(self) -> None:
        """Do nothing: who hosts the environments ends them."""

    def _shown(self, answer: Callable[[], _Shown]) -> tuple[Any, ...]:
        result, self._masks, self._n_configs = answer()
        return result


@contextmanager
def side_by_side(
    players: Turns, config: TrainingConfig, worlds: TrainingWorlds, n_envs: Mapping[Part, int]
) -> Iterator[dict[Part, Sequence[SideBySide]]]:
    """Yield environments of each part, as many as asked for, shared out among the shapes of space.

    Those of several shapes are in workers, those of a single one in this process.

    Raises:
        PevaError: a worker died.
    """
    places = [(part, number, n) for part, all_ in n_envs.items() for number, n in enumerate(worlds.sizes(part, all_))]
    if len(places) == len(n_envs):
        yield {part: [worlds.vector(part, 0, n, StepsHere)] for part, _, n in places}
        return
    settings = config.model_dump_json()
    with players.hosting(EnvHost, [(settings, *place) for place in places]) as hosts:
        found: dict[Part, list[SideBySide]] = {part: [] for part in n_envs}
        for (part, _, n), host in zip(places, hosts, strict=True):
            found[part].append(StepsElsewhere(host, n))
        yield dict(found)
