"""One function of the local node: a server process of its own, and what can be asked of it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from peva_env.config import FunctionConfig
from peva_env.errors import PlatformError
from peva_env.platforms.local.function_code import FunctionCode
from peva_env.system import processes

HOST = "127.0.0.1"

_SERVER = Path(__file__).with_name("function_server.py")
_BACKLOG = 2048
_READY_PATH = "/robots.txt"
"""The runtime itself answers this path, whatever the function is: it tells readiness without a call."""

_MEANINGFUL_LINES = 3
_MAX_QUOTED_CHARS = 300
_LOG_TAIL_BYTES = 8192
_EXIT_WAIT_S = 1.0
_MIN_TIMEOUT_S = 0.01


class FunctionProcess:
    """A function that is being served.

    The parent binds and listens, so no other program can take the port between choosing and serving it, and a client
    that comes early waits in the queue instead of being refused. Once the server has the socket, the parent's copy is
    closed: a function that died refuses connections.

    Raises:
        PlatformError: the port cannot be had.
    """

    def __init__(self, function: FunctionConfig, code: FunctionCode, log: Path) -> None:
        """Start the server; ``log`` takes what the function writes."""
        self._function = function
        self._log = log
        self._started_at = time.monotonic()
        with _listen(function) as listener, log.open("ab") as output:
            self.port: int = listener.getsockname()[1]
            self.process = processes.start(
                _server_command(code, listener.fileno()),
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                cwd=code.file.parent,
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=output,
            )

    @property
    def url(self) -> str:
        """Where the function is called."""
        return f"http://{HOST}:{self.port}/"

    @property
    def alive(self) -> bool:
        """Whether the server still runs."""
        return self.process.poll() is None

    def await_ready(self, timeout_s: float) -> None:
        """Wait until the server answers, at most ``timeout_s`` after its start.

        Raises:
            PlatformError: it ended, or has not answered in time; with the last lines of its log.
        """
        left_s = max(_MIN_TIMEOUT_S, self._started_at + timeout_s - time.monotonic())
        try:
            _request(self.port, "GET", _READY_PATH, timeout_s=left_s)
        except (OSError, http.client.HTTPException) as error:
            what = self._how_it_ended() or f"{self._label} was not ready within {timeout_s:g} s"
            raise PlatformError(f"{what}: {self.log_tail()}") from error

    def preflight(self, timeout_s: float) -> None:
        """Call the function once, as the load will.

        Raises:
            PlatformError: it did not answer, or not with success.
        """
        call = self._function
        try:
            status, answer = _request(
                self.port, call.method, "/", body=call.body, headers=call.headers, timeout_s=timeout_s
            )
        except TimeoutError as error:
            raise PlatformError(f"{self._label} did not answer its first call within {timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            ended = self._how_it_ended()
            problem = f"{ended}: {self.log_tail()}" if ended else f"{self._label} could not be called: {error}"
            raise PlatformError(problem) from error
        if not 200 <= status < 300:
            quoted = " ".join(answer.split())[:_MAX_QUOTED_CHARS] or "an empty body"
            raise PlatformError(f"{self._label} answered its first call with {status}: {quoted}{self._crash(status)}")

    def failure(self) -> str | None:
        """One line on how the server ended and its last words; None while it runs."""
        return None if self.alive else f"{self._how_it_ended()}: {self.log_tail()}"

    def log_tail(self) -> str:
        """The last meaningful lines that the function wrote, in one line."""
        return " | ".join(self._last_lines(_MEANINGFUL_LINES))[-_MAX_QUOTED_CHARS:] or "its log is empty"

    @property
    def _label(self) -> str:
        return f"function {self._function.name!r}"

    def _crash(self, status: int) -> str:
        # The runtime answers an exception with a bare 500; what it was is the last line of the log.
        crashed = status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        return "".join(f" ({line[:_MAX_QUOTED_CHARS]})" for line in self._last_lines(1) if crashed)

    def _last_lines(self, count: int) -> list[str]:
        with self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        # A traceback's markers (~~~^^^) point at nothing once the lines are joined.
        return [line.strip() for line in lines if line.strip(" ~^")][-count:]

    def _how_it_ended(self) -> str | None:
        try:
            code = self.process.wait(_EXIT_WAIT_S)  # its socket closes a moment before it has ended
        except subprocess.TimeoutExpired:
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        return f"{self._label} {how}"


def _server_command(code: FunctionCode, fd: int) -> list[str | Path]:
    # -P: the server's own folder, with names such as base.py in it, must not come before the function's neighbours.
    options = ["--fd", str(fd), "--target", code.target, "--limit-concurrency", str(code.concurrency)]
    return [sys.executable, "-P", _SERVER, *options, "--source", code.file]


def _request(
    port: int, method: str, path: str, *, timeout_s: float, body: str = "", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    # http.client heeds no proxy variables and follows no redirects.
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, body.encode() or None, dict(headers or {}))
        with connection.getresponse() as response:
            return response.status, response.read(_MAX_QUOTED_CHARS).decode(errors="replace")
    finally:
        connection.close()


def _listen(function: FunctionConfig) -> socket.socket:
    port = function.port or 0  # 0: the system chooses
    try:
        return socket.create_server((HOST, port), backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror if isinstance(error, PermissionError) else f"is in use on {HOST}{_holder(port)}"
        raise PlatformError(
            f"functions port {port} {reason}: free it, or change or leave out 'port' of function {function.name!r}"
        ) from error


def _holder(port: int) -> str:
    """Name who listens on a port, as far as the system lets us see."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
