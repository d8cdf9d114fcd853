"""Signals are held back while a measurement is written down, and none is lost."""

import signal
import threading
from collections.abc import Iterator

import pytest

from peva_env.system.interrupts import uninterrupted

HELD = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def every_signal_raises() -> Iterator[None]:
    """As on the command line: each of the signals raises KeyboardInterrupt."""
    previous = {number: signal.signal(number, signal.default_int_handler) for number in HELD}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in HELD]


def interrupted_block(done: list[str], number: int = signal.SIGINT, *, failure: Exception | None = None) -> None:
    """Be interrupted half-way through a block that ends with a failure, if one is given."""
    with uninterrupted():
        signal.raise_signal(number)
        done.append("written")
        if failure:
            raise failure


@pytest.mark.parametrize("number", HELD)
def test_a_block_runs_to_its_end_before_the_signal_is_delivered(number: int) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_block(done, number)
    assert done == ["written"]


def test_the_handlers_are_put_back() -> None:
    before = handlers()
    with uninterrupted():
        assert handlers() != before
    assert handlers() == before
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert handlers() == before


def test_a_signal_is_not_lost_when_the_block_fails() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted_block([], failure=ValueError("disk full"))
    assert isinstance(caught.value.__context__, ValueError)


def test_a_failure_alone_leaves_as_itself() -> None:
    with pytest.raises(ValueError, match="disk full"), uninterrupted():
        raise ValueError("disk full")


def test_an_inner_block_hands_its_signal_to_the_outer() -> None:
    done: list[str] = []

    def outer() -> None:
        with uninterrupted():
            interrupted_block(done)
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        outer()
    assert done == ["written", "outer"]


def test_a_signal_of_no_interest_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGHUP)


def test_other_threads_are_left_alone() -> None:
    seen: list[list[object]] = []

    def work() -> None:
        with uninterrupted():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handlers()]
