"""The times of a memory: later than all that it holds, though the machine's clock is set back."""

import time
from dataclasses import dataclass

import pytest

from peva_env.memory.clock import MemoryClock
from tests.support.builders import event

DAY_S = 86400.0


@dataclass
class Machine:
    """A machine whose clock can be set; ``passed_s`` have really passed since its start."""

    clock_s: float = 1000.0
    passed_s: float = 5.0

    def wait(self, seconds: float) -> None:
        self.clock_s += seconds
        self.passed_s += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(time, "time", lambda: machine.clock_s)
    monkeypatch.setattr("peva_env.memory.clock.elapsed_s", lambda: machine.passed_s)
    return machine


def begun(stored_s: float = 0.0) -> MemoryClock:
    clock = MemoryClock()
    clock.begin(stored_s)
    return clock


def test_it_is_the_machines_clock(machine: Machine) -> None:
    clock = begun(900.0)
    assert clock.now() == 1000.0
    machine.wait(10)
    assert clock.now() == 1010.0
    machine.clock_s += DAY_S
    assert clock.now() == 1010.0 + DAY_S


def test_where_that_is_set_back_it_goes_on_until_that_is_there_again(machine: Machine) -> None:
    clock = begun()
    clock.now()
    machine.clock_s -= DAY_S
    assert clock.now() == 1000.0
    machine.wait(600)
    assert clock.now() == 1600.0
    machine.clock_s += DAY_S
    assert clock.now() == 1600.0, "it is right again, and not a day ahead"


def test_it_begins_just_after_the_latest_stored_time_and_goes_on_from_there(machine: Machine) -> None:
    clock = begun(1000.0 + DAY_S)
    first = clock.now()
    assert 1000.0 + DAY_S < first < 1001.0 + DAY_S
    machine.wait(600)
    assert clock.now() == pytest.approx(first + 600)
    clock.begin(0.0)
    assert clock.now() == 1600.0, "another memory"


def test_copies_of_a_memory_that_is_ahead_do_not_begin_at_one_moment(machine: Machine) -> None:
    assert len({begun(1000.0 + DAY_S).now() for _ in range(30)}) == 30
    assert begun(999.9).now() == 1000.0, "where the clock is right, it is that"


def test_an_event_begins_after_everything_before_it(machine: Machine) -> None:
    clock = begun(1000.0)
    first = clock.ordered(event(started_at=990.0, ended_at=992.0))
    assert first.started_at > 1000.0
    assert first.ended_at == pytest.approx(first.started_at + 2)
    assert clock.ordered(event(started_at=1010.0, ended_at=1012.0)).started_at == 1010.0
    assert clock.ordered(event(started_at=1011.0, ended_at=1013.0)).started_at == 1012.0
    machine.wait(50)
    now = clock.now()
    assert clock.ordered(event(started_at=1040.0, ended_at=1041.0)).started_at == now


def test_the_clock_may_be_set_back_during_an_event(machine: Machine) -> None:
    clock = begun()
    assert clock.ordered(event(started_at=1000.0, ended_at=700.0)).ended_at == 700.0
    machine.clock_s = 700.0
    assert clock.now() >= 1000.0
    assert clock.ordered(event(started_at=701.0, ended_at=702.0)).started_at >= 1000.0
