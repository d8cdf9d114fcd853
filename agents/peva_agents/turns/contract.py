"""The contract of turns, and the choice between its forms."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from operator import itemgetter
from typing import Any, Protocol

from peva_agents.turns.on_processes import ProcessTurns
from peva_agents.turns.on_ray import RayTurns
from peva_env.errors import ConfigError


class Hosted(Protocol):
    """An object in a worker."""

    def ask(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """Begin a call of a method; return what waits for its result. Calls are done one after the other.

        Raises:
            PevaError: the method raised it, or the worker died; here or while its result is waited for.
        """
        ...


class Turns(Protocol):
    """Maps a function over tasks, and hosts objects that are asked again and again."""

    def map[R](self, function: Callable[..., R], tasks: Sequence[tuple[Any, ...]]) -> Generator[tuple[int, R]]:
        """Call ``function(*task)`` for each task, and yield the index of the task and its result as each ends.

        The function stands at the top of an installed module; tasks and results are pickled.

        Raises:
            PevaError: a task raised it, or a worker died.
        """
        ...

    def require_workers(self) -> None:
        """Check that there are workers, before anything is written that they are needed for.

        Raises:
            ConfigError: Ray is not installed, or its address is malformed.
            PevaError: the Ray cluster does not answer, has no CPU, or has another version.
        """
        ...

    def hosting(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]
    ) -> AbstractContextManager[Sequence[Hosted]]:
        """Keep the object ``function(*task)`` of each task in a worker until the context ends.

        The function stands at the top of an installed module; tasks, arguments and results are pickled.

        Raises:
            PevaError: a worker cannot be started.
        """
        ...


def in_order(players: Turns, *maps: tuple[Callable[..., Any], Sequence[tuple[Any, ...]]]) -> list[list[Any]]:
    """Return the results of maps in the order of their tasks; the workers of all maps are started once.

    Raises:
        PevaError: a task raised it, or a worker died.
    """
    tasks = [(function, task) for function, own in maps for task in own]
    results = iter([result for _, result in sorted(players.map(_call, tasks), key=itemgetter(0))])
    return [list(islice(results, len(own))) for _, own in maps]


def _call(function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    return function(*task)


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
