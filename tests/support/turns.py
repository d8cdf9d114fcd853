"""What workers do in tests of turns; each worker imports this file, so it imports little."""

import os
import signal

from peva_env.errors import PolicyError


def power(base: int, exponent: int) -> tuple[int, str]:
    return base**exponent, os.environ["MKL_NUM_THREADS"]


def fails(_: int) -> None:
    raise PolicyError("the policy has no idea")


def dies(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Counter:
    """Counts up from a number that a worker was given."""

    def __init__(self, start: int) -> None:
        self.count = start

    def add(self, n: int) -> tuple[int, str]:
        self.count += n
        return self.count, os.environ["MKL_NUM_THREADS"]

    def fail(self) -> None:
        raise PolicyError("the counter has no idea")

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def large(self, n_bytes: int) -> bytes:
        return bytes(n_bytes)
