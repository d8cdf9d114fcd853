"""The contract of turns, and the choice between its forms."""

import os
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from peva_agents.turns.on_processes import ProcessTurns
from peva_agents.turns.on_ray import RayTurns
from peva_env.errors import ConfigError


class Turns(Protocol):
    """Maps a function over tasks."""

    def map[R](self, function: Callable[..., R], tasks: Sequence[tuple[Any, ...]]) -> Generator[tuple[int, R]]:
        """Call ``function(*task)`` for each task, and yield the index of the task and its result as each ends.

        The function stands at the top of an installed module; tasks and results are pickled.

        Raises:
            PevaError: a task raised it, or a worker died.
        """
        ...


def turns(*, jobs: int | None = None, ray: str | None = None) -> Turns:
    """Return turns on ``jobs`` processes, one for each core by default; or on the Ray cluster ``ray``.

    Raises:
        ConfigError: both are given.
    """
    if ray is None:
        return ProcessTurns(jobs or os.cpu_count() or 1)
    if jobs is not None:
        raise ConfigError(
            f"--jobs {jobs} is for processes of this machine; the cluster of --ray {ray} has its own CPUs"
        )
    return RayTurns(ray)
