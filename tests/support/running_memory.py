"""A process of its own that has a memory open with a running session, and stores events when it is told to."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine
from tests.support.builders import event, session
from tests.support.forkserver import LIMIT_S, PROCESSES


class RunningMemory:
    """That process: it begins with the session ``run_id``."""

    def __init__(self, path: Path, run_id: str = "run") -> None:
        self._pipe, its = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=_run, args=(str(path), run_id, its))
        self._process.start()
        its.close()
        assert self.answer() == "open"

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def tell(self, *n_bytes: int) -> None:
        """Tell it to store events, each with a raw summary of a size, at 0 none; it answers with their iterations."""
        for size in n_bytes:
            self._pipe.send(size)

    def answer(self) -> object:
        """Wait for its next answer."""
        assert self._pipe.poll(LIMIT_S)
        return self._pipe.recv()

    def end(self) -> None:
        """Let it store what it was told to, close the memory and end."""
        self._pipe.send(None)
        self._process.join(LIMIT_S)
        assert self._process.exitcode == 0
        self._pipe.close()

    def kill(self) -> None:
        """Kill it for real."""
        self._process.kill()
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL
        self._pipe.close()


@contextmanager
def held(path: Path, run_id: str = "run") -> Iterator[RunningMemory]:
    """Keep a memory open in another process, which is killed at the end."""
    holder = RunningMemory(path, run_id)
    try:
        yield holder
    finally:
        holder.kill()


def _run(path: str, run_id: str, pipe: Connection) -> None:
    engine = InProcessMemoryEngine(DuckDBMemoryStore(path))
    engine.startup()
    engine.open_session(session(run_id))
    pipe.send("open")
    for iteration in count():
        n_bytes = pipe.recv()
        if n_bytes is None:
            engine.close()
            return
        summary = {"filler": "x" * n_bytes} if n_bytes else None
        engine.ingest_event(event(iteration=iteration, run_id=run_id, raw_summary=summary))
        pipe.send(iteration)
