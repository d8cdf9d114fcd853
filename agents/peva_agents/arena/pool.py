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

from peva_agents.arena.episode import Played, play
from peva_agents.arena.world import Episode
from peva_env.errors import PevaError

type Turn = tuple[str, Episode]
"""Whose turn it is in which episode."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What says how many threads linear algebra has; read as a process loads its libraries."""

_AHEAD = 4
"""Turns that are handed out for each process, so that none waits for its next one."""

_HELD = {signal.SIGINT, signal.SIGHUP}
"""What a terminal sends to all processes at once; the first one ends the others in order."""


def play_all(config: str, turns: Sequence[Turn], jobs: int) -> Generator[Played]:
    """Play all turns of an arena, whose settings are given as JSON, and yield what became of each as it ends.

    What comes of an episode does not depend on ``jobs``, nor on what its process played before: worlds are the same,
    agents are made anew, and linear algebra has one thread.

    Raises:
        PevaError: an agent cannot go on, or a process died. The others end with it.
    """
    left, waiting = iter(turns), set[Future[Played]]()
    with _workers(jobs) as pool:
        while True:
            with _as_workers_start():
                waiting |= {pool.submit(play, config, *turn) for turn in islice(left, _AHEAD * jobs - len(waiting))}
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done if not future.exception())
            _raise_first(done)


def _raise_first(done: Iterable[Future[Played]]) -> None:
    for future in done:
        try:
            future.result()
        except BrokenProcessPool as error:
            raise PevaError("a process that played was killed, for want of memory perhaps; try fewer --jobs") from error


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_prepare)
    try:
        yield pool
    except BaseException:  # also GeneratorExit: nobody waits any more for what they play
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _as_workers_start() -> Iterator[None]:
    """Have what processes that start now inherit: one thread, and no ear for Ctrl-C."""
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
    warnings.simplefilter("ignore")  # they were said by the first process, which has read the same world
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None  # noqa: S101 - this is a worker
    parent.join()
    os._exit(1)
