"""Ctrl-C, SIGTERM and SIGHUP: the first ends a command in order; none interrupts a write that must be complete."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_INTERRUPTED_QUERY = "Query interrupted"
"""What DuckDB raises, as a RuntimeError, instead of ``KeyboardInterrupt`` when Ctrl-C comes during a query."""


class CommandEnd(SystemExit):
    """Ends the command, also through a user's code, such as a policy. Any other ``SystemExit`` there is its failure."""


def raise_end(error: BaseException) -> None:
    """Raise an exception again if it is no failure of the code that it passed, but ends the command; else do nothing.

    Raises:
        KeyboardInterrupt: it is Ctrl-C, or came from it during a query of DuckDB's.
        CommandEnd: it is one.
    """
    if isinstance(error, KeyboardInterrupt | CommandEnd):
        raise error
    if isinstance(error, RuntimeError) and str(error) == _INTERRUPTED_QUERY:
        raise KeyboardInterrupt from error


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay SIGINT, SIGTERM and SIGHUP until a short block ends.

    They are delivered also when the block raises. Python runs signal handlers in the main thread only, so that other
    threads delay nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    # The stack puts every handler back even if one of them is called, and raises, before the last is back.
    with ExitStack() as stack:
        stack.callback(_deliver, held)
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler is not None:  # None: set by C code, which could not be put back
                stack.callback(signal.signal, number, handler)
                signal.signal(number, hold)
        yield


def _deliver(held: list[int]) -> None:
    for number in held:
        signal.raise_signal(number)


class FirstInterrupt:
    """Turns the first Ctrl-C, SIGTERM or closed terminal into ``KeyboardInterrupt`` and ignores all later ones.

    Stopping takes a moment; a second interrupt would leave a session open. The signal handlers are never restored: the
    process ends after its command.
    """

    def __init__(self) -> None:
        self._heard = False
        self._numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            self._numbers.append(signal.SIGHUP)
        for number in self._numbers:
            signal.signal(number, self._hear)

    def hear_no_more(self) -> None:
        """Ignore the signals from now on: the campaign is over, only closing and reporting are left."""
        self._heard = True
        # SIG_IGN, since Python removes our handler as it ends. A signal that arrives during the change makes Python
        # report an exception that cannot be caught, in the second round at the latest.
        reported, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            for number in self._numbers * 2:
                signal.signal(number, signal.SIG_IGN)
        finally:
            sys.unraisablehook = reported

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if not self._heard:
            self._heard = True
            raise KeyboardInterrupt
