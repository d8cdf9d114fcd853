"""One generator, where it runs: it starts k6, lets it wait at its gate, and returns what became of it."""

import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from peva_env.errors import ConfigError, LoadGeneratorError
from peva_env.sources.k6.binary import find_k6, k6_version
from peva_env.sources.k6.execution import Execution
from peva_env.sources.k6.gate import Gate
from peva_env.sources.k6.job import End, Job
from peva_env.sources.k6.settings import K6Settings, require_accepted
from peva_env.system import Moment, processes

_SERVER = Path(__file__).with_name("server.py")
_SERVER_S = 10.0
_POLL_S = 0.02
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class About(NamedTuple):
    """A generator: the version of its k6, and a name of its machine that other machines do not have."""

    version: str
    machine: str


class WorkerEnd(NamedTuple):
    """What became of a share: the end of k6, and its warnings and errors with their levels."""

    end: End
    log: tuple[tuple[int, str], ...]


def this_machine() -> str:
    """Return a name of this machine that other machines do not have."""
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else socket.gethostname()


class Worker:
    """Sends one share of each run. ``stop`` may be called while another method is at work.

    Args:
        k6: path or name of the k6 binary; None: as ``find_k6`` finds it on this machine.
    """

    def __init__(self, k6: str | None = None) -> None:
        self._k6 = k6
        self._execution: Execution | None = None
        self._ready: tuple[Gate, Execution] | None = None
        self._stack = ExitStack()  # closes both
        self._server = ExitStack()
        self._log: list[tuple[int, str]] = []
        self._about: About | None = None

    def about(self) -> About:
        """Return the version of k6 and the machine.

        Raises:
            LoadGeneratorError: there is no usable k6 here.
        """
        if self._about is None:
            self._about = About(k6_version(find_k6(self._k6)), this_machine())
        return self._about

    def require_accepted(self, settings: K6Settings) -> None:
        """Check that k6 accepts its settings here.

        Raises:
            ConfigError: it does not, or the certificate to trust is not on this machine.
        """
        if settings.ca_file and not settings.ca_file.exists():
            raise ConfigError(f"ca_file: {settings.ca_file} is not on the machine of the generator; put it there")
        require_accepted(find_k6(self._k6), self.about().version, settings)

    def serve(self) -> int:
        """Start a small server on 127.0.0.1 that answers everything at once, and return its port.

        Raises:
            LoadGeneratorError: it cannot be started.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(processes.temporary_folder("peva-server-"))
            server = processes.start([sys.executable, "-I", _SERVER, folder / "port"])
            stack.callback(processes.stop, server)
            deadline = time.monotonic() + _SERVER_S
            while not (folder / "port").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise LoadGeneratorError("the server for its calibration cannot be started")
                time.sleep(_POLL_S)
            self._server = stack.pop_all()
            return int((folder / "port").read_text(encoding="ascii"))

    def end_serving(self) -> None:
        """End the server, if there is one."""
        self._server.close()

    def now(self) -> float:
        """Return the time of this machine's clock, in seconds since the epoch."""
        return time.time()

    def prepare(self, job: Job, limit_s: float) -> None:
        """Start k6 and return when it is ready to send.

        Raises:
            LoadGeneratorError: k6 failed, or is not ready within ``limit_s``.
        """
        self._log = []
        with ExitStack() as stack:
            gate = stack.enter_context(Gate())
            execution = Execution(find_k6(self._k6), job, gate=gate, tell=lambda *line: self._log.append(line))
            stack.callback(self._forget)
            self._execution = stack.enter_context(execution)
            execution.until_ready(gate, limit_s)
            self._stack = stack.pop_all()
        self._ready = gate, execution

    def begin(self, at_s: float, limit_s: float) -> WorkerEnd:
        """Let k6 send from a moment of this machine's clock, and return its end, at most ``limit_s`` after it.

        Raises:
            LoadGeneratorError: k6 failed or hung, or this machine slept or had its clock set meanwhile.
        """
        ready, self._ready = self._ready, None
        if ready is None:
            raise LoadGeneratorError("it was stopped before it began")
        gate, execution = ready
        began = Moment.now()
        with self._stack:
            gate.open(at_s)
            end = execution.end(limit_s, begins_in_s=max(0.0, at_s - time.time()))
        jump = began.jump_until(Moment.now())
        if jump:
            raise LoadGeneratorError(jump)
        return WorkerEnd(end, tuple(self._log))

    def stop(self) -> None:
        """End k6 now, wherever it is in its run; what it has counted is still its result."""
        execution = self._execution
        if execution is not None:
            execution.interrupt()
        if self._ready is not None:
            self._ready = None
            self._stack.close()

    def _forget(self) -> None:
        self._execution = None
