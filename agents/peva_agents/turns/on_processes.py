"""Turns on several processes of this machine."""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import Connection
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
        hosts: list[_Host] = []
        try:
            with uninterrupted(), _inherited_by_workers():
                hosts += [_Host() for _ in range(min(self.jobs, len(tasks)))]
            hosted = [HostedByProcess(hosts[number % len(hosts)], number) for number in range(len(tasks))]
            made = [one.ask(_MAKE, function, task) for one, task in zip(hosted, tasks, strict=True)]
            for wait_for in made:
                wait_for()
            yield hosted
        finally:
            for host in hosts:
                host.end()


@dataclass(frozen=True)
class HostedByProcess:
    """An object in a process; its number is its name there."""

    host: "_Host"
    number: int

    def ask(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """See ``peva_agents.turns.Hosted``."""
        return self.host.ask((self.number, method, arguments))


class _Host:
    """A process that hosts objects, and answers calls of their methods in their order.

    It is no ``ProcessPoolExecutor``, whose threads go on beside an interrupted main thread: a process here is ended at
    once, whatever it was about to answer.
    """

    def __init__(self) -> None:
        spawn = get_context("spawn")
        self._here, there = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()
        self._n_asked = self._n_taken = 0
        self._taken: dict[int, tuple[bool, Any]] = {}

    def ask(self, call: tuple[int, str, tuple[Any, ...]]) -> Callable[[], Any]:
        """Begin a call, and return what waits for its result.

        Earlier results are taken before it is sent: else both processes could wait for each other with full pipes.
        """
        with _deaths_explained():
            self._take(self._n_asked)
            self._here.send(call)
        self._n_asked += 1
        return partial(self._answer, self._n_asked)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._here.close()
        self._process.terminate()
        self._process.join()

    def _answer(self, number: int) -> Any:
        with _deaths_explained():
            self._take(number)
        is_result, answer = self._taken.pop(number)
        if is_result:
            return answer
        raise answer

    def _take(self, until: int) -> None:
        while self._n_taken < until:
            answer = self._here.recv()
            self._n_taken += 1
            self._taken[self._n_taken] = answer


_MAKE = "make"
"""What a host is asked for instead of a method: to make an object."""


def _serve(there: Connection) -> None:
    """Answer calls until the main process closes the pipe: whether it has a result, and that or the error."""
    _prepare()
    objects: dict[int, Any] = {}
    with suppress(EOFError):
        while True:
            number, method, arguments = there.recv()
            try:
                if method == _MAKE:
                    function, task = arguments
                    objects[number], result = function(*task), None
                else:
                    result = getattr(objects[number], method)(*arguments)
                answer = True, result
            except Exception as error:  # noqa: BLE001 - the main process raises it
                answer = False, error
            there.send(answer)


def _result(future: Future[Any]) -> Any:
    with _deaths_explained():
        return future.result()


@contextmanager
def _deaths_explained() -> Iterator[None]:
    try:
        yield
    except (BrokenProcessPool, EOFError, ConnectionError) as error:
        raise PevaError("a process was killed, perhaps for lack of memory; try fewer --jobs") from error


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    others = set(active_children())
    with _inherited_by_workers():  # what keeps track of their locks is a process, too
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
    """Set up what the processes that start now inherit: one thread of linear algebra, and Ctrl-C blocked.

    Python does not look for its own modules in the working folder: a ``re.py`` there would end the process.
    """
    inherited = {**dict.fromkeys(THREADS, "1"), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in inherited}
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    os.environ.update(inherited)
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
