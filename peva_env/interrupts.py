"""Ctrl-C and SIGTERM, held back while a finished measurement is written down."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Run a short block to its end; a SIGINT or SIGTERM that arrives meanwhile is delivered when it is left.

    Signal handlers run in the main thread only, so that other threads have nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    previous = {number: signal.signal(number, lambda *signal_: held.append(signal_)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    for held_number, _ in held:
        signal.raise_signal(held_number)
