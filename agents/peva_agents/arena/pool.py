"""Episodes on several processes at once."""

import os
import signal
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import active_children, get_context, parent_process

from peva_agents.arena.episode import EpisodeRecord, record_episode
from peva_agents.arena.world import Episode
from peva_env.errors import PevaError
from peva_env.system import uninterrupted

type Task = tuple[str, Episode]
"""The name of an agent, and the episode that it plays."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables with the number of threads of linear algebra; read when a process loads its libraries."""

_AHEAD = 4
"""Tasks that are submitted ahead for each process, so that no process waits for its next task."""

_HELD = {signal.SIGINT, signal.SIGHUP}
"""Signals that a terminal sends to all processes at once; the workers block them, and the main process ends them."""


def play_all(config: str, tasks: Sequence[Task], jobs: int) -> Generator[EpisodeRecord]:
    """Play the tasks of an arena, whose settings are given as JSON, and yield the record of each episode as it ends.

    A record does not depend on ``jobs``, nor on the episodes that its process played before: worlds are the same,
    agents are made anew, and linear algebra has one thread.

    Raises:
        PevaError: an agent fails, or a process died. The other processes end then.
    """
    left, waiting = iter(tasks), set[Future[EpisodeRecord]]()
    with _workers(jobs) as pool:
        while True:
            with uninterrupted(), _inherited_by_workers():  # a process that starts must get its data whole
                waiting |= {
                    pool.submit(record_episode, config, *task) for task in islice(left, _AHEAD * jobs - len(waiting))
                }
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done if not future.exception())
            _raise_first(done)


def _raise_first(done: Iterable[Future[EpisodeRecord]]) -> None:
    for future in done:
        try:
            future.result()
        except BrokenProcessPool as error:
            raise PevaError(
                "a process of the arena was killed, perhaps for lack of memory; try fewer --jobs"
            ) from error


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
    before = {name: os.environ.get(name) for name in _THREADS}
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    os.environ.update(dict.fromkeys(_THREADS, "1"))
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
