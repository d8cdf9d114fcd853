"""Ctrl-C, SIGTERM and SIGHUP, held back while a finished measurement is written down."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Run a short block to its end; a SIGINT, SIGTERM or SIGHUP that arrives meanwhile is delivered when it is left.

    That holds when the block raises, too: the signal is not lost. Signal handlers run in the main thread only, so that
    other threads have nothing to hold back.
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
