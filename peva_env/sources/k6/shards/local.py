"""Generators on this machine: each is a process of k6."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from peva_env.sources.k6.shards.worker import Worker

_CALLS_AT_ONCE = 2  # one that waits for k6, and one that asks for the time or stops k6


class LocalPlace:
    """Several k6 on this machine; see ``Place``. A thread waits for each.

    Args:
        n: the number of generators.
        k6: path or name of the k6 binary; None: as ``find_k6`` finds it.
    """

    def __init__(self, n: int, k6: str | None = None) -> None:
        self.names: Sequence[str] = [f"generator {i} of {n}" for i in range(1, n + 1)]
        self._workers = [Worker(k6) for _ in range(n)]
        self._threads = ThreadPoolExecutor(_CALLS_AT_ONCE * n, thread_name_prefix="peva-k6")

    def renew(self) -> bool:
        """Do nothing: a process of k6 is new in each run."""
        return False

    def call(self, index: int, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of a generator in a thread."""
        return self._threads.submit(getattr(self._workers[index], method), *arguments)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown()
