"""A function of the local node: its server process, its readiness, and how it ended."""

import http
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from peva_env.config import FunctionConfig, request_headers
from peva_env.errors import PlatformError
from peva_env.platforms.local.function_code import FunctionCode
from peva_env.system import HttpClient, NoResponseError, processes

HOST = "127.0.0.1"

_SERVER = Path(__file__).with_name("function_server.py")
_BACKLOG = 2048
_READY_PATH = "/robots.txt"
"""Readiness path: the runtime itself answers it, so that no call of the function is needed."""

_MEANINGFUL_LINES = 3
_MAX_QUOTED_CHARS = 300
_LOG_TAIL_BYTES = 8192
_EXIT_WAIT_S = 1.0
_MIN_TIMEOUT_S = 0.01


class FunctionProcess:
    """A function and the server process that serves it.

    The parent process binds the port and listens. So no other program can take the port before the server starts, and
    the connection of an early client is queued, not refused. When the server has inherited the socket, the parent
    closes its copy, so that the port of a dead function refuses connections.

    Raises:
        PlatformError: the port cannot be bound.
    """

    def __init__(self, function: FunctionConfig, code: FunctionCode, log: Path) -> None:
        """Start the server; ``log`` is the file of the function's output."""
        self._function = function
        self._log = log
        self._started_at = time.monotonic()
        with _listen(function) as listener, log.open("ab") as output:
            self.port: int = listener.getsockname()[1]
            self._http = HttpClient(f"http://{HOST}:{self.port}", max_body_bytes=_MAX_QUOTED_CHARS)
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
        """The address of the function."""
        return f"http://{HOST}:{self.port}/"

    @property
    def alive(self) -> bool:
        """Whether the server still runs."""
        return self.process.poll() is None

    def await_ready(self, timeout_s: float) -> None:
        """Wait until the server answers, at most ``timeout_s`` after its start.

        Raises:
            PlatformError: the server ended, or did not answer in time; with the last lines of its log.
        """
        left_s = max(_MIN_TIMEOUT_S, self._started_at + timeout_s - time.monotonic())
        try:
            self._http.request(_READY_PATH, timeout_s=left_s)
        except NoResponseError as error:
            ended = self._how_it_ended()
            problem = ended or f"{self._label} was not ready within {timeout_s:g} s"
            raise PlatformError(f"{problem}: {self.log_tail()}", is_temporary=ended is None) from error

    def preflight(self, timeout_s: float) -> None:
        """Call the function once, with the same request as the load.

        Raises:
            PlatformError: the function did not answer, or not with success.
        """
        call = self._function
        try:
            response = self._http.request(
                "/", method=call.method, body=call.body, headers=request_headers(call), timeout_s=timeout_s
            )
        except NoResponseError as error:
            raise PlatformError(self._why_no_response(error, timeout_s), is_temporary=error.is_temporary) from error
        if not response.ok:
            quoted = " ".join(response.text.split()) or "an empty body"
            answered = f"answered its first call with {response.status}: {quoted}"
            raise PlatformError(f"{self._label} {answered}{self._crash(response.status)}")

    def failure(self) -> str | None:
        """Return in one line how the server ended and what it wrote last; None while it runs."""
        return None if self.alive else f"{self._how_it_ended()}: {self.log_tail()}"

    def log_tail(self) -> str:
        """Return the last meaningful lines that the function wrote, joined into one."""
        return " | ".join(self._last_lines(_MEANINGFUL_LINES))[-_MAX_QUOTED_CHARS:] or "its log is empty"

    @property
    def _label(self) -> str:
        return f"function {self._function.name!r}"

    def _why_no_response(self, error: NoResponseError, timeout_s: float) -> str:
        if isinstance(error.cause, TimeoutError):
            return f"{self._label} did not answer its first call within {timeout_s:g} s"
        if ended := self._how_it_ended():
            return f"{ended}: {self.log_tail()}"
        return f"{self._label} could not be called: {error}"

    def _crash(self, status: int) -> str:
        # The runtime answers an exception with a bare 500; the exception is in the last line of the log.
        crashed = status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        return "".join(f" ({line[:_MAX_QUOTED_CHARS]})" for line in self._last_lines(1) if crashed)

    def _last_lines(self, count: int) -> list[str]:
        with self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        # A traceback's markers (~~~^^^) are meaningless in joined lines.
        return [line.strip() for line in lines if line.strip(" ~^")][-count:]

    def _how_it_ended(self) -> str | None:
        try:
            code = self.process.wait(_EXIT_WAIT_S)  # the socket closes shortly before the process ends
        except subprocess.TimeoutExpired:
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        return f"{self._label} {how}"


def _server_command(code: FunctionCode, fd: int) -> list[str | Path]:
    # -P keeps the server's own folder, whose modules could shadow those of the function, off the import path.
    options = ["--fd", str(fd), "--target", code.target, "--limit-concurrency", str(code.concurrency)]
    return [sys.executable, "-P", _SERVER, *options, "--source", code.file]


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
    """Return which process listens on a port, as far as the system shows it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
