"""Turns on the workers of a Ray cluster, a task of Ray each."""

import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from peva_agents.turns.on_processes import THREADS
from peva_env.errors import PevaError
from peva_env.system import ray_cluster

_ONE_THREAD = {"env_vars": dict.fromkeys(THREADS, "1")}

_AHEAD = 4
"""Tasks that are submitted ahead for each CPU of the cluster, so that no worker waits for its next task."""


@dataclass(frozen=True)
class RayTurns:
    """Turns on a Ray cluster: ``auto``, ``local`` or HOST:PORT, see ``peva_env.system.ray_cluster``.

    A task whose worker or machine dies is done again on another one, three times at most, which is Ray's default. The
    workers need the same version of this package, and the files that tasks name under the same paths.
    """

    address: str

    def map[R](self, function: Callable[..., R], tasks: Sequence[tuple[Any, ...]]) -> Generator[tuple[int, R]]:
        """See ``peva_agents.turns.Turns``."""
        left, waiting = iter(enumerate(tasks)), dict[Any, int]()
        with ray_cluster(self.address) as ray:
            n_cpus = self._n_cpus(ray)
            turn = ray.remote(_turn).options(runtime_env=_ONE_THREAD)
            while True:
                for index, task in islice(left, _AHEAD * n_cpus - len(waiting)):
                    waiting[turn.remote(function, task)] = index
                if not waiting:
                    return
                [ended], _ = ray.wait(list(waiting), num_returns=1)
                index = waiting.pop(ended)
                yield index, self._result(ray, ended)

    def require_workers(self) -> None:
        """See ``peva_agents.turns.Turns``."""
        with ray_cluster(self.address) as ray:
            self._n_cpus(ray)

    @contextmanager
    def hosting(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterator[list["HostedOnRay"]]:
        """See ``peva_agents.turns.Turns``; each object is an actor, and actors are spread over the machines."""
        with ray_cluster(self.address) as ray:
            host = ray.remote(_Host).options(runtime_env=_ONE_THREAD, scheduling_strategy="SPREAD")
            actors = [host.remote(function, task) for task in tasks]
            try:
                yield [HostedOnRay(actor, partial(self._result, ray)) for actor in actors]
            finally:
                for actor in actors:
                    ray.kill(actor)

    def _n_cpus(self, ray: Any) -> int:
        n_cpus = int(ray.cluster_resources().get("CPU", 0))
        if not n_cpus:
            raise PevaError(f"--ray {self.address}: the cluster has no CPU for tasks; start a worker with --num-cpus 1")
        return n_cpus

    def _result(self, ray: Any, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, PevaError) else error) from None
        except ray.exceptions.RayError as error:
            reason = str(error).partition("\n")[0]
            raise PevaError(f"--ray {self.address}: a worker died: {reason}") from error


@dataclass(frozen=True)
class HostedOnRay:
    """An object in an actor; ``result`` waits for the result of a reference."""

    actor: Any
    result: Callable[[Any], Any]

    def ask(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """See ``peva_agents.turns.Hosted``."""
        return partial(self.result, self.actor.call.remote(method, arguments))


class _Host:
    """Hosts an object in an actor."""

    def __init__(self, function: Callable[..., Any], task: tuple[Any, ...]) -> None:
        self._object = _turn(function, task)

    def call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        return getattr(self._object, method)(*arguments)


def _turn(function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Do a task in a worker, where warnings were shown before, and modules of the working folder are found last."""
    warnings.simplefilter("ignore")
    if "" not in sys.path:
        sys.path.append("")
    return function(*task)
