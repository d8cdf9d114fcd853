"""Turns on several processes of this machine."""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from typing import Any

from peva_env.errors import PevaError
from peva_env.system import uninterrupted

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables with the number of threads of linear algebra; read when a process loads its libraries."""

_AHEAD = 4
"""Tasks that are submitted ahead for each process, so that no process waits for its next task."""

_HELD = {signal.SIGINT, signal.SIGHUP}
"""Signals that a terminal sends to all processes at once; the workers block them, and the main process ends them."""


@dataclass(frozen=True)
class ProcessTurns:
    """Turns on ``jobs`` processes."""

    jobs: int

    def map[R](self, function: Callable[..., R], tasks: Sequence[tuple[Any, ...]]) -> Generator[tuple[int, R]]:
        """See ``peva_agents.turns.Turns``."""
        left, waiting = iter(enumerate(tasks)), dict[Future[R], int]()
        with _workers(self.jobs) as pool:
            while True:
                with uninterrupted(), _inherited_by_workers():  # a process that starts must get its data whole
                    for index, task in islice(left, _AHEAD * self.jobs - len(waiting)):
                        waiting[pool.submit(function, *task)] = index
                if not waiting:
                    return
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                ended = [(waiting.pop(future), future) for future in done]
                yield from ((index, future.result()) for index, future in ended if not future.exception())
                for _, future in ended:
                    _result(future)

    def require_workers(self) -> None:
        """Do nothing: processes can always be started."""

    @contextmanager
    def hosting(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]
    ) -> Iterator[list["HostedByProcess"]]:
        """See ``peva_agents.turns.Turns``; each of ``jobs`` processes hosts as many objects, if there are more."""
        with ExitStack() as stack:
            pools = [stack.enter_context(_workers(1)) for _ in range(min(self.jobs, len(tasks)))]
            hosted = [HostedByProcess(pools[number % len(pools)], number) for number in range(len(tasks))]
            with uninterrupted(), _inherited_by_workers():
                made = [one.make(function, task) for one, task in zip(hosted, tasks, strict=True)]
            for future in made:
                _result(future)
            yield hosted


@dataclass(frozen=True)
class HostedByProcess:
    """An object in the only process of a pool; its number is the name of the object there."""

    pool: ProcessPoolExecutor
    number: int

    def make(self, function: Callable[..., Any], task: tuple[Any, ...]) -> Future[None]:
        """Begin to make the object."""
        return self.pool.submit(_make, self.number, function, task)

    def ask(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """See ``peva_agents.turns.Hosted``."""
        with _deaths_explained():
            return partial(_result, self.pool.submit(_call, self.number, method, arguments))


_objects: dict[int, Any] = {}
"""The objects that this process hosts, by their numbers."""


def _make(number: int, function: Callable[..., Any], task: tuple[Any, ...]) -> None:
    _objects[number] = function(*task)


def _call(number: int, method: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(_objects[number], method)(*arguments)


def _result(future: Future[Any]) -> Any:
    with _deaths_explained():
        return future.result()


@contextmanager
def _deaths_explained() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise PevaError("a process was killed, perhaps for lack of memory; try fewer --jobs") from error


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_prepare)
    try:
        yield pool
    except BaseException:  # also GeneratorExit: nobody waits for their records any more
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _inherited_by_workers() -> Iterator[None]:
    """Set up what the processes that start now inherit: one thread of linear algebra, and Ctrl-C blocked."""
    before = {name: os.environ.get(name) for name in THREADS}
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _prepare() -> None:
    warnings.simplefilter("ignore")  # the main process has read the same world and shown them
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None  # noqa: S101 - this is a worker
    parent.join()
    os._exit(1)
