"""Generators on the machines of a Ray cluster: each is an actor."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from peva_env.errors import ConfigError, LoadGeneratorError, PevaError
from peva_env.sources.k6.shards.worker import Worker
from peva_env.system import ray_cluster

_CALLS_AT_ONCE = 4  # one that waits for k6, and those that ask for the time, stop k6 or end the actor
_PLACED_S = 30.0
"""Time for Ray to start an actor; one that waits longer waits for a CPU."""


class RayPlace:
    """Generators on the nodes of a Ray cluster; see ``Place``.

    Where Ray has several nodes, each generator has one to itself; where it has one, each has a CPU of it. A generator
    that is lost is replaced before the next run, if another node has none.

    Args:
        n: the number of generators.
        address: where Ray is: ``auto`` or HOST:PORT.
        k6: path or name of the k6 binary on each machine; None: as ``find_k6`` finds it there.

    Raises:
        ConfigError: Ray is not installed, or has too few nodes.
        PevaError: Ray does not answer.
    """

    def __init__(self, n: int, address: str, k6: str | None = None) -> None:
        self._n = n
        self._k6 = k6
        self._stack = ExitStack()
        self._actors: dict[int, Any] = {}
        self._nodes: dict[int, str] = {}
        self._addresses: dict[int, str] = {}
        self._lost_on: set[str] = set()
        try:
            self._ray = self._joined(address)
            n_workers = len(self._workers())
            if n_workers < n:
                raise ConfigError(
                    f"generators = {n}: Ray has only {n_workers} worker(s) with a CPU for one; start Ray on more "
                    "machines, or use fewer generators"
                )
            self.renew()
        except BaseException:
            self.close()
            raise

    @property
    def names(self) -> Sequence[str]:
        """The names of the generators, with the addresses of their machines."""
        return [f"generator {i + 1} of {self._n} on {self._addresses.get(i, 'no machine')}" for i in range(self._n)]

    @property
    def node_ids(self) -> Sequence[str]:
        """Ray's names of the nodes that the generators are on."""
        return list(self._nodes.values())

    def renew(self) -> bool:
        """Replace lost generators, and return whether there were any.

        Raises:
            LoadGeneratorError: Ray has no other node, or does not start an actor on it.
        """
        workers = self._workers()
        there = {node["NodeID"] for node in workers}
        for i in [i for i, node_id in self._nodes.items() if node_id not in there]:
            self._lose(i)
        for taken in self._nodes.values():
            workers.pop(next(at for at, node in enumerate(workers) if node["NodeID"] == taken))
        workers.sort(key=lambda node: node["NodeID"] in self._lost_on)  # Ray may not know yet that it has ended
        is_new = len(self._actors) < self._n
        while missing := [i for i in range(self._n) if i not in self._actors]:
            if len(workers) < len(missing):
                raise LoadGeneratorError(
                    f"generator {missing[0] + 1} of {self._n} is lost, and Ray has no other worker"
                )
            self._begin({i: workers.pop(0) for i in missing})
        return is_new

    def call(self, index: int, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of a generator's actor."""
        answer: Future[Any] = Future()
        actor = self._actors.get(index)
        if actor is None:
            answer.set_exception(LoadGeneratorError("it is lost"))
            return answer

        def pass_on(done: Future[Any]) -> None:
            try:
                answer.set_result(done.result())
            except self._ray.exceptions.RayTaskError as error:
                answer.set_exception(error.cause)
            except self._ray.exceptions.RayError:
                self._lose(index)
                answer.set_exception(LoadGeneratorError("it is lost: its machine, or Ray there, has ended"))

        getattr(actor, method).remote(*arguments).future().add_done_callback(pass_on)
        return answer

    def close(self) -> None:
        """End the actors and leave Ray."""
        for i in list(self._actors):
            self._ray.kill(self._actors[i])
            self._lose(i)
        self._stack.close()

    def _joined(self, address: str) -> Any:
        try:
            return self._stack.enter_context(ray_cluster(address))
        except PevaError as error:  # here a key names the address, not an option
            raise type(error)(f"ray: {str(error).removeprefix('--ray ')}") from error

    def _workers(self) -> list[Mapping[str, Any]]:
        """Return the nodes of Ray for one generator each; if there is a single node, once for each of its CPUs."""
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        return nodes * int(nodes[0]["Resources"]["CPU"]) if len(nodes) == 1 else nodes

    def _begin(self, nodes: Mapping[int, Mapping[str, Any]]) -> None:
        """Start generators on nodes; those whose node has ended are lost at once.

        Raises:
            LoadGeneratorError: Ray has no CPU for one.
        """
        for i, node in nodes.items():
            self._actors[i], self._nodes[i] = self._actor_on(node), node["NodeID"]
            self._addresses[i] = node["NodeManagerAddress"]
        asked = {self._actors[i].now.remote(): i for i in nodes}
        answered, waiting = self._ray.wait(list(asked), num_returns=len(asked), timeout=_PLACED_S)
        for one in answered:
            try:
                self._ray.get(one)
            except self._ray.exceptions.RayError:
                self._lose(asked[one])
        without_cpu = [asked[one] for one in waiting]
        for i in without_cpu:
            self._ray.kill(self._actors[i])
            self._lose(i)
        if without_cpu:
            i = without_cpu[0]
            raise LoadGeneratorError(
                f"generator {i + 1} of {self._n}: Ray had no free CPU for it on {self._addresses[i]} within "
                f"{_PLACED_S:g} s; does another program use this Ray?"
            )

    def _actor_on(self, node: Mapping[str, Any]) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        options = {"num_cpus": 1, "max_concurrency": _CALLS_AT_ONCE, "scheduling_strategy": there}
        return self._ray.remote(Worker).options(**options).remote(self._k6)

    def _lose(self, index: int) -> None:
        self._actors.pop(index, None)
        self._lost_on.add(self._nodes.pop(index, ""))
