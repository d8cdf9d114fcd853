"""How busy the machine is, and how long a process waits for a core."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from peva_env.system import busy_s, urgent_pct, usable_cores, waited_s
from tests.support.processes import busy


def test_the_machine_is_busy_with_all_programs() -> None:
    with busy(usable_cores()):
        time.sleep(0.3)
        before = busy_s()
        time.sleep(1.0)
        assert busy_s() - before == pytest.approx(usable_cores(), rel=0.3)


@pytest.mark.alone
def test_programs_of_low_priority_leave_the_cores_to_others() -> None:
    with busy(usable_cores()):
        time.sleep(0.3)
        used_pct = urgent_pct(0.5)
    is_low = os.nice(0) > 0  # then so is what these tests start
    assert used_pct < 90 if is_low else used_pct > 40


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not say how long threads wait")
def test_programs_that_share_the_cores_wait_for_them() -> None:
    with busy(2 * usable_cores()) as pids:
        time.sleep(0.3)
        before = [waited_s(pid) or 0.0 for pid in pids]
        time.sleep(1.0)
        waits_s = [(waited_s(pid) or 0.0) - begun for pid, begun in zip(pids, before, strict=True)]
    assert sum(waits_s) > 0.5 * usable_cores()


def test_threads_that_end_while_they_are_looked_at_do_not_count() -> None:
    ends = time.monotonic() + 2

    def begin_and_end_threads() -> None:
        while time.monotonic() < ends:
            threads = [threading.Thread(target=int) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    churning = [threading.Thread(target=begin_and_end_threads) for _ in range(3)]
    for thread in churning:
        thread.start()
    while time.monotonic() < ends:
        assert (waited_s(os.getpid()) is not None) == Path("/proc/self/schedstat").exists()
    for thread in churning:
        thread.join()


def test_a_process_that_has_ended_has_no_wait() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    if waited_s(os.getpid()) is not None:
        with pytest.raises(FileNotFoundError):
            waited_s(process.pid)
