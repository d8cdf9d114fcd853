"""The start of the command ``peva-env``: Ctrl-C ends it without a traceback while Python is still importing, too.

It stands beside the package, because whatever is imported from that imports Gymnasium and NumPy first, and these take
most of the time.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))  # python -m puts the working folder first, where it could hide modules

import gc
import os
import signal
from types import FrameType
from typing import NoReturn

_INTERRUPTED = 130
"""The exit code of every command that a signal ends."""


def main() -> None:
    """Import the command line and run it; SIGTERM and SIGHUP end it as Ctrl-C does."""
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup, a background job of a shell
    ]
    for number in numbers:
        signal.signal(number, _end)
    gc.disable()  # nothing that an import makes is garbage, and to look for some takes a tenth of its time
    from peva_env.cli import main

    gc.enable()
    gc.freeze()  # nor is any of it looked at when the process ends, which took as long

    try:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
        main()
    except KeyboardInterrupt:  # before or after the command itself, which handles its own
        sys.exit(_INTERRUPTED)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # Nothing has begun that would have to be ended; an exception, however, can be lost on its way out of an import.
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
