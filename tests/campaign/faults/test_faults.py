"""Real campaigns to which something happens: what is left of the run, the campaign and the memory, and what is read.

``docs/faults.md`` is the table; what it says that a user reads is what these tests read.
"""

import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("functions_framework")

from peva_env.config import FunctionConfig
from peva_env.contracts import Verdict
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6, LoadResult
from tests.support.builders import full, small_disk
from tests.support.campaigns import (
    AT_ONCE,
    campaign,
    finish,
    function,
    k6_runs_in,
    n_events,
    one_line,
    query,
    run,
    runs,
    start,
    statuses,
    write,
)
from tests.support.k6 import running_k6
from tests.support.live import measured
from tests.support.processes import command_of, is_gone, wait_until

pytestmark = pytest.mark.live

LONG = "3s"
"""How long a run takes within which a test must do something: on a busy machine it may be late."""


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def children(process: subprocess.Popen[str], what: str) -> list[psutil.Process]:
    """Return the children of a campaign whose command line holds a word."""
    return [child for child in psutil.Process(process.pid).children() if what in command_of(child)]


def await_second_run(process: subprocess.Popen[str]) -> None:
    """Wait until the first run is stored and k6 is at the second."""
    assert wait_until(lambda: n_events() == 1 and k6_runs_in(process))


def invalid_reasons() -> list[str]:
    return [reason for (reason,) in query("SELECT reasons[1] FROM execution_events WHERE verdict = 'INVALID'")]


# Processes that are killed from outside


@pytest.mark.parametrize("n_killed", [1, 2], ids=["one function", "the whole node"])
def test_functions_killed_mid_run_make_it_invalid_and_the_next_start_goes_on(n_killed: int) -> None:
    write(
        campaign(function("one", AT_ONCE), function("two", AT_ONCE), rates=[10], max_invalid_retries=0, duration=LONG)
    )
    process = start()
    await_second_run(process)
    for server in children(process, "function_server.py")[:n_killed]:
        server.kill()
    code, _, errors = finish(process)
    assert code == 1
    assert one_line(errors) == (
        "peva-env: two 10 rps: 1 run(s) in a row measured nothing: "
        "function 'one' was ended by SIGKILL: its log is empty"
    )
    assert [verdict for *_, verdict in runs()] == ["OK", "INVALID"]
    assert statuses() == ["failed"]
    assert run()[0] == 0
    assert [verdict for *_, verdict in runs()] == ["OK", "INVALID", "OK"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "k6 failed with exit code -9 (it was killed, perhaps for want of memory)"),
        (signal.SIGTERM, "k6 failed with exit code 105 (it was interrupted by a signal)"),
    ],
)
def test_a_k6_killed_from_outside_costs_one_run(number: signal.Signals, reason: str) -> None:
    write(campaign(rates=[10, 20], duration=LONG))
    process = start()
    await_second_run(process)
    (k6,) = children(process, "PEVA_PLAN=")
    assert wait_until(lambda: k6.num_threads() > 1)  # it is past its start, and has its own handler of signals
    time.sleep(1)
    k6.send_signal(number)
    code, output, errors = finish(process)
    assert (code, errors) == (0, "")
    (stored,) = invalid_reasons()
    assert stored.startswith(reason)
    assert f"quick 20: INVALID  {reason}" in output
    assert [verdict for *_, verdict in runs()] == ["OK", "INVALID", "OK"]
    assert statuses() == ["complete"]


# A k6 that stands still


class PausedK6(K6):
    """Stops k6 as soon as it sends, and lets it go on after ``pause_s``, if ever."""

    pause_s: float | None = None

    def run(self, *args: Any, **options: Any) -> LoadResult:
        pausing = threading.Thread(target=self._pause)
        pausing.start()
        try:
            return super().run(*args, **options)
        finally:
            pausing.join()

    def _pause(self) -> None:
        assert wait_until(lambda: any(k6.num_threads() > 1 for k6 in running_k6()))
        (k6,) = running_k6()
        time.sleep(0.5)  # now it sends, or will within this run of 3 s
        k6.suspend()
        if self.pause_s is not None:
            time.sleep(self.pause_s)
            k6.resume()


def test_a_k6_that_hangs_is_killed_and_the_run_invalid() -> None:
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        event = measured(node, "fetch", 20, PausedK6(timeout_s=1, wall_margin_s=1.0), duration_s=3)
    assert (event.verdict, event.reasons) == (Verdict.INVALID, ("k6 did not end within 6 s and was killed",))
    assert not running_k6()


@pytest.mark.parametrize("pause_s", [0.4, 1.5])
def test_a_k6_that_was_held_up_is_not_taken_for_an_overloaded_node(pause_s: float) -> None:
    # 60 requests/s of 100 are nothing to this function; 24 or 90 at once, five of which it serves, are.
    paused = PausedK6(timeout_s=1)
    paused.pause_s = pause_s
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        event = measured(node, "fetch", 60, paused, duration_s=3)
    assert event.functions[0].success_rate < 0.95
    assert event.functions[0].held_up == pytest.approx(60 * pause_s, abs=12)
    assert event.verdict is Verdict.INVALID
    assert re.match(r"k6 stood still for \d+ % of the run and then sent all late requests at once; ", event.reasons[0])


def test_a_run_in_which_k6_stood_still_until_the_end_is_not_ok() -> None:
    paused = PausedK6(timeout_s=1)
    paused.pause_s = 3.5
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        event = measured(node, "fetch", 60, paused, duration_s=3)
    assert event.verdict is Verdict.INVALID
    # It has sent less than planned, or all requests that were due until it went on, at once.
    assert re.match(r"k6 (offered \d+ of 180 requests to fetch: it )?stood still", event.reasons[0])


# Clocks

WITH_A_CLOCK_OF_OUR_OWN = """
import sys, time
from pathlib import Path

def shift(read, file):
    shifted = Path(file)
    return lambda *which: read(*which) + (float(shifted.read_text()) if shifted.exists() else 0)

time.time = shift(time.time, "wall")
time.clock_gettime = shift(time.clock_gettime, "sleep")  # the clock that counts sleep is all that is asked for by name
from peva_env.sources.k6 import runner as k6
k6.load_started_at = shift(k6.load_started_at, "wall")  # k6 lives by the same clock
sys.argv[0] = "peva-env"
from peva_env_command import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS counts sleep on another clock")
@pytest.mark.parametrize(
    ("wall_s", "sleep_s", "reason"),
    [
        (-30, 0, "the clock was set by -30.0 s during the run"),
        (600, 600, "the machine slept for 600.0 s during the run"),
    ],
)
def test_a_clock_that_jumps_costs_one_run(wall_s: float, sleep_s: float, reason: str) -> None:
    write(campaign(rates=[10, 20], duration=LONG))
    command = [sys.executable, "-c", WITH_A_CLOCK_OF_OUR_OWN, "run", "--config", "peva.yml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    await_second_run(process)
    for file, shift_s in (("sleep", sleep_s), ("wall", wall_s)):
        Path(f"{file}.new").write_text(str(shift_s))
        Path(f"{file}.new").replace(file)
    code, output, errors = finish(process)
    assert (code, errors) == (0, "")
    assert invalid_reasons() == [reason]
    assert f"quick 20: INVALID  {reason}" in output
    assert Counter(verdict for *_, verdict in runs()) == {"OK": 2, "INVALID": 1}
    assert query("SELECT count(*) FROM execution_events WHERE cost_s NOT BETWEEN 0 AND 60") == [(0,)]


# Disk and files


def test_a_full_disk_of_temporary_files_ends_the_campaign(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        write(campaign(rates=[10, 20, 30], max_invalid_retries=0, duration=LONG))
        process = start(TMPDIR=str(disk))
        await_second_run(process)
        with full(disk):
            code, _, errors = finish(process)
    assert code == 1
    assert re.search(r"k6.* (is there no room left in|cannot be written to) ", one_line(errors))
    assert str(disk) in errors
    assert statuses() == ["failed"]
    assert run()[0] == 0
    assert Counter(verdict for *_, verdict in runs()) == {"OK": 3, "INVALID": 1}


def test_a_memory_deleted_during_a_campaign_ends_it_before_the_next_run() -> None:
    write(campaign(rates=[10, 20, 30], duration=LONG, memory={"db_path": "memory.duckdb"}))
    process = start()
    await_second_run(process)
    Path("memory.duckdb").unlink()
    code, _, errors = finish(process)
    assert code == 1
    assert one_line(errors).startswith("peva-env: memory memory.duckdb: it was deleted, moved or replaced while")
    assert n_events() == 1


# Whoever reads has gone, or kills


def test_a_campaign_that_nobody_reads_is_interrupted_and_goes_on_later() -> None:
    write(campaign(rates=[10, 20, 30], duration=LONG))
    process = start()
    await_second_run(process)
    ours = psutil.Process(process.pid).children(recursive=True)
    assert process.stdout
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr
    assert process.stderr.read() == ""
    process.stderr.close()
    assert wait_until(lambda: all(map(is_gone, ours)))
    assert query("SELECT status, detail FROM run_sessions") == [("interrupted", "the output was closed")]
    assert run()[0] == 0
    assert [rates for rates, *_ in runs()] == [[10], [20], [30]]


def kill_9(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Kill a campaign, and return what it had started."""
    ours = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    return ours


def test_kill_9_at_random_moments_leaves_no_process_no_folder_and_no_doubt(tmp_path: Path) -> None:
    temporary, chance = tmp_path / "temporary", random.Random(7)  # noqa: S311
    temporary.mkdir()
    write(campaign(rates=[10, 20, 30]))
    for _ in range(3):
        process = start(TMPDIR=str(temporary))
        assert wait_until(lambda: any(temporary.iterdir()))  # the node's
        time.sleep(chance.uniform(0, 1.5))
        ours = kill_9(process)
        assert wait_until(lambda left=ours: all(map(is_gone, left)))  # type: ignore[misc]
        assert wait_until(lambda: not any(temporary.iterdir()))
    assert run()[0] == 0
    assert [(rates, iteration) for rates, iteration, *_ in runs()] == [([10], 0), ([20], 0), ([30], 0)]
    assert n_events() == 3
    assert set(statuses()) <= {"crashed", "complete"}
