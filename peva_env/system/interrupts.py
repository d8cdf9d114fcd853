"""Ctrl-C, SIGTERM and SIGHUP: the first ends a command in order; none cuts off what must be written down whole."""

import signal
import sys
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


class FirstInterrupt:
    """Turns the first Ctrl-C, SIGTERM or closed terminal into ``KeyboardInterrupt`` and is deaf to those that follow.

    Stopping takes a moment; interrupted itself it would leave a session that nobody closed. The signals are never given
    back: the process ends after its command.
    """

    def __init__(self) -> None:
        self._heard = False
        self._numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            self._numbers.append(signal.SIGHUP)
        for number in self._numbers:
            signal.signal(number, self._hear)

    def hear_no_more(self) -> None:
        """Be deaf from now on: the campaign is over, what is left is to close and to report."""
        self._heard = True
        # SIG_IGN, since Python takes our handler away as it ends. Of a signal that arrives during the change it says
        # that it was ignored, as an exception that nobody can catch; the second round is where it says so.
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
