"""Children end with us, whatever ends us."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from peva_env.system import processes
from tests.support.processes import is_gone, wait_until

_PARENT = """
    import os, signal, sys, time
    import psutil
    from peva_env.system import processes
    def say(*pids):
        print(*pids, flush=True)
    def sleeper():
        return processes.start(["sleep", "60"])
"""

StartParent = Callable[[str], tuple[subprocess.Popen[str], list[int]]]


@pytest.fixture
def parent() -> Iterator[StartParent]:
    """Run a script as a process of its own and return it with the pids that it prints first."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> tuple[subprocess.Popen[str], list[int]]:
        code = textwrap.dedent(_PARENT) + textwrap.dedent(script)
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, [int(pid) for pid in process.stdout.readline().split()]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def python(code: str, **options: object) -> subprocess.Popen[bytes]:
    return processes.start([sys.executable, "-S", "-c", code], **options)  # type: ignore[arg-type]


def test_stop_ends_a_child_politely_and_twice_is_once() -> None:
    process = processes.start(["sleep", "60"])
    processes.stop(process)
    processes.stop(process)
    assert process.returncode == -signal.SIGTERM


def test_stop_kills_a_child_that_ignores_sigterm(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w').close(); time.sleep(60)"
    process = python(code)
    assert wait_until(ready.exists)
    processes.stop(process, grace_s=0.1)
    assert process.returncode == -signal.SIGKILL


def test_stop_kills_what_a_dead_child_left_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pid_file.open("wb") as output:
        process = processes.start(["sh", "-c", "sleep 60 & echo $!"], stdout=output)
    assert process.wait() == 0
    grandchild = int(pid_file.read_text())
    assert not is_gone(grandchild)
    processes.stop(process)
    assert wait_until(lambda: is_gone(grandchild))


def test_several_children_share_one_grace(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); open({!r}, 'w').close(); time.sleep(60)"
    ready = [tmp_path / str(i) for i in range(4)]
    children = [python(stubborn.format(str(file))) for file in ready]
    assert wait_until(lambda: all(file.exists() for file in ready))
    started_at = time.monotonic()
    processes.stop(*children, grace_s=3.0)
    assert 3.0 <= time.monotonic() - started_at < 12.0  # one grace each would take 12 s
    assert all(child.returncode is not None for child in children)


def test_a_child_has_a_group_of_its_own_and_no_input(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as stdout:
        process = python("import os, sys; print(os.getpgrp(), repr(sys.stdin.read()))", stdout=stdout)
    assert process.wait() == 0
    processes.stop(process)
    assert output.read_text().split() == [str(process.pid), "''"]


def test_a_missing_program_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        processes.start(["/no/such/program"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_children_and_grandchildren_end_with_a_killed_parent(parent: StartParent, number: signal.Signals) -> None:
    process, pids = parent(
        """
        child = processes.start(["sh", "-c", "sleep 60 & wait"])
        while not psutil.Process(child.pid).children():
            time.sleep(0.01)
        say(child.pid, psutil.Process(child.pid).children()[0].pid)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        time.sleep(60)
        """
    )
    assert not any(map(is_gone, pids))
    process.send_signal(number)
    assert wait_until(lambda: all(map(is_gone, pids)))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="nothing tells here which processes were starting")
def test_a_child_ends_with_a_parent_that_is_killed_while_it_starts(parent: StartParent) -> None:
    _, (child,) = parent(
        """
        import subprocess
        class KilledMeanwhile(subprocess.Popen):
            def __init__(self, args, **options):
                super().__init__(args, **options)
                if args[0] == "sleep":
                    say(self.pid)
                    os.kill(os.getpid(), signal.SIGKILL)
        subprocess.Popen = KilledMeanwhile
        sleeper()
        """
    )
    assert wait_until(lambda: is_gone(child), 20)  # before the child ends by itself


def test_children_end_with_a_parent_that_forgets_them(parent: StartParent) -> None:
    process, pids = parent("say(sleeper().pid)")
    assert process.wait(10) == 0
    assert wait_until(lambda: all(map(is_gone, pids)))


def test_a_guard_that_was_killed_is_replaced_and_knows_the_older_children(parent: StartParent) -> None:
    process, pids = parent(
        """
        first = sleeper()
        (guard,) = [child for child in psutil.Process().children() if child.pid != first.pid]
        guard.kill()
        guard.wait()
        say(first.pid, sleeper().pid)
        time.sleep(60)
        """
    )
    process.kill()
    assert wait_until(lambda: all(map(is_gone, pids)))


def test_a_fork_neither_hides_the_parents_death_nor_ends_its_children(parent: StartParent) -> None:
    process, (child, fork, childs_child) = parent(
        """
        child = sleeper()
        read_end, write_end = os.pipe()
        fork = os.fork()
        if fork == 0:
            processes.stop(child)
            os.write(write_end, str(sleeper().pid).encode())
            time.sleep(60)
        say(child.pid, fork, int(os.read(read_end, 20)))
        time.sleep(60)
        """
    )
    assert not is_gone(child)
    process.kill()
    assert wait_until(lambda: is_gone(child))
    assert not is_gone(childs_child)
    os.kill(fork, signal.SIGKILL)
    assert wait_until(lambda: is_gone(childs_child))


STARTS_UNDER_FIRE = """
import os, random, signal, sys, threading, time
from peva_env.system import processes

def shoot():
    time.sleep(random.Random(int(sys.argv[1])).uniform(0, 0.004))
    os.kill(os.getpid(), signal.SIGINT)

processes.start(["/bin/true"])  # the guard is there
try:
    threading.Thread(target=shoot).start()
    processes.start(["/bin/sleep", sys.argv[2]])
    time.sleep(1)
except KeyboardInterrupt:
    pass
"""


def test_ctrl_c_while_a_child_starts_leaves_no_orphan() -> None:
    sleep_s = f"777.{os.getpid()}"  # tells our orphans from those of tests that run beside us

    def orphans() -> list[psutil.Process]:
        return [process for process in psutil.process_iter(["cmdline"]) if sleep_s in (process.info["cmdline"] or ())]

    for seed in range(6):
        subprocess.run([sys.executable, "-c", STARTS_UNDER_FIRE, str(seed), sleep_s], check=True, timeout=30)
    try:
        assert wait_until(lambda: not orphans())
    finally:
        for orphan in orphans():
            orphan.kill()


# Temporary folders


def test_a_temporary_folder_goes_when_the_block_is_left() -> None:
    with processes.temporary_folder("peva-test-") as folder:
        (folder / "file").write_text("")
        assert folder.name.startswith("peva-test-")
    assert not folder.exists()


@pytest.mark.parametrize("guard", ["the first guard", "a later guard"])
def test_a_temporary_folder_goes_with_a_killed_owner_even_if_a_child_still_writes_into_it(
    tmp_path: Path, parent: StartParent, guard: str
) -> None:
    odd = tmp_path / "odd \n'name"
    odd.mkdir()
    process, (child,) = parent(
        f"""
        import tempfile
        tempfile.tempdir = {str(odd)!r}
        with processes.temporary_folder("peva-test-") as folder:
            if {guard == "a later guard"}:
                (first,) = psutil.Process().children()
                first.kill()
                first.wait()
            write = 'while :; do touch "$0/$(date +%N)"; done'
            child = processes.start(["sh", "-c", write, folder])
            while not any(folder.iterdir()):
                time.sleep(0.01)
            say(child.pid)
            time.sleep(60)
        """
    )
    assert list(odd.iterdir())
    process.kill()
    assert wait_until(lambda: is_gone(child) and not list(odd.iterdir()))
