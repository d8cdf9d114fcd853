"""Standard output that takes every text and ends the program in one way when it cannot be written; warnings."""

import errno
import io
import os
import signal
import sys
import warnings
from typing import NoReturn, TextIO

from peva_env.errors import PevaError
from peva_env.system import CommandEnd, one_line

_TOLD = (UserWarning, FutureWarning)
"""Warnings for the user; all others are for the developers of a library."""


class OutputClosed(CommandEnd):
    """The reader of standard output is gone, as in ``peva-env run | head``: the program ends without a message."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGPIPE)  # what a shell reports of a program that does not handle it

    def __str__(self) -> str:
        return "the output was closed"


class _Open(io.TextIOWrapper):
    """A standard stream that stays open when a policy, or another user's code, closes it."""

    def close(self) -> None:
        self.flush()


class _Output(_Open):
    """Standard output whose failure is an ``OutputClosed`` or a ``PevaError``, whoever writes to it."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> NoReturn:
        _end(self)
        if error.errno == errno.EPIPE:
            raise OutputClosed from None
        raise PevaError(f"standard output: cannot be written: {error.strerror}") from error


class _Errors(_Open):
    """Standard error whose failure changes nothing: the exit code still says what happened."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            _end(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _end(self)


def _end(stream: io.TextIOWrapper) -> None:
    """Send what is still in the buffer of a stream to nowhere: Python flushes it at its end, and would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def guard_output() -> None:
    """Let standard output and standard error escape what their encoding lacks, and each fail in one way."""
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _guarded(_Errors, sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _guarded(_Output, sys.stdout)


def _guarded(kind: type[io.TextIOWrapper], stream: io.TextIOWrapper) -> io.TextIOWrapper:
    encoding, line_buffering = stream.encoding, stream.line_buffering
    return kind(stream.detach(), encoding, "backslashreplace", line_buffering=line_buffering)


def write(text: str) -> None:
    """Write text for another program, such as JSON, and a line break: never wrapped or styled."""
    if sys.stdout is not None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def complain(problem: str) -> None:
    """Write one line to standard error, if that can be written."""
    if sys.stderr is not None:
        sys.stderr.write(f"peva-env: {one_line(problem)}\n")
        sys.stderr.flush()


def tell_warnings() -> None:
    """From now on show each warning for the user once, as one line, whatever Python was told to do with warnings."""
    warnings.simplefilter("ignore")
    for category in _TOLD:
        warnings.simplefilter("once", category)
    warnings.showwarning = _tell


def _tell(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001 - the parameters are Python's
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    complain(f"warning: {message}")
