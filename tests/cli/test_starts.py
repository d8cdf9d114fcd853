"""The command from the very start of Python: what it imports, signals, closed streams, and its folder."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from peva_env import datasets
from tests.support.commands import files, write_hiding_modules
from tests.support.forkserver import LIMIT_S, PROCESSES, Ended, peva
from tests.support.processes import wait_until

COMMAND = shutil.which("peva-env", path=str(Path(sys.executable).parent))


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEVA_ENV_K6", raising=False)


def installed(*args: str) -> Ended:
    """Run the command that was installed, from the very start of Python."""
    assert COMMAND is not None
    return subprocess.run([COMMAND, *args], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "args", [[], ["plan"], ["run", "--nope"], ["run", "-c", "no.yml"], ["memory", "info", "no.duckdb"]], ids=" ".join
)
def test_the_installed_command_does_what_the_one_of_the_tests_does(args: list[str]) -> None:
    one, other = installed(*args), peva(*args)
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)


PRELOAD = ["memory", "preload", "m.duckdb", "--core", str(datasets.load("local-node-v1"))]


QUESTION = ["ask", "checkout=40", "--memory", "m.duckdb"]


SMALLEST = ["--sim", "random:1", "--rates", "a=10,20", "--budgets", "2"]


ARENA = ["arena", *SMALLEST, "--agents", "uniform,mine:Mine", "--jobs", "1", "--out", "arena"]


@pytest.mark.parametrize(
    ("command", "uses"),
    [([str(COMMAND)], [PRELOAD, QUESTION, ARENA]), ([sys.executable, "-m", "peva_env_command"], [ARENA])],
    ids=["script", "-m"],
)
def test_files_of_the_working_folder_hide_no_module(command: list[str], uses: list[list[str]]) -> None:
    """With -m only the start differs, and the arena imports the most."""
    write_hiding_modules()
    Path("mine.py").write_text("from peva_env.planning import NoOpPolicy\nclass Mine(NoOpPolicy):\n    pass\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for args in uses:
        ended = subprocess.run([*command, *args], capture_output=True, text=True, env=environment, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, ""), args


def test_a_working_folder_that_was_removed_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone}; rmdir {gone}; exec {COMMAND} plan"
    ended = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (
        2, "peva-env: the working folder was removed; change to another one\n"
    )  # fmt: skip


@pytest.mark.parametrize("stage", ["starts", "plays"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_that_ends_a_command_gives_130(number: signal.Signals, stage: str) -> None:
    arena = ["arena", "--sim", "random:50", "--agents", "bisection", "--out", "arena", "--jobs", "1"]
    ours = signal.signal(number, lambda *_: None)  # a signal that these tests ignore (nohup) is ignored by a child, too
    try:
        process = subprocess.Popen([str(COMMAND), *arena], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(number, ours)
    last = signal.SIGTERM if number == signal.SIGINT else number  # Python itself has a handler of SIGINT before we have
    assert wait_until(lambda: process.poll() is not None or _handles(process.pid, last))
    if stage == "plays":
        assert wait_until(Path("arena").exists)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 130


def _handles(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal, by its mask SigCgt in /proc."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) & 1 << number - 1)


def test_a_process_without_standard_streams_works_all_the_same() -> None:
    # Else the first socket would get descriptor 0 or 1, and a child's own standard input would replace it.
    command = ["sh", "-c", 'exec "$0" doctor <&- >&-', str(COMMAND)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


INTERRUPTED_AT = """
import os, signal, sys
class Interrupts:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts)
sys.argv = ["peva-env", "run"]
from peva_env_command import main
main()
"""


@pytest.mark.parametrize(
    "module", ["peva_env", "gymnasium", "duckdb", "typer", "peva_env.cli.commands", "peva_agents.cartesian"]
)
def test_ctrl_c_while_python_still_imports_ends_quietly(module: str) -> None:
    script = INTERRUPTED_AT.format(module=module)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr
    assert not files()


def test_a_plan_that_nobody_reads_ends_quietly() -> None:
    assert COMMAND is not None
    with subprocess.Popen([COMMAND, "plan"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (141, b"")


def test_ctrl_c_during_a_query_of_duckdb_ends_the_command_as_at_any_other_moment() -> None:
    process = PROCESSES.Process(target=be_interrupted_in_a_query)
    process.start()
    process.join(LIMIT_S)
    assert process.exitcode == 130


def be_interrupted_in_a_query() -> None:
    from peva_env.cli import commands
    from peva_env_command import main

    def query_while_ctrl_c_comes() -> None:
        raise RuntimeError("Query interrupted")  # what DuckDB makes of Ctrl-C

    commands.app = query_while_ctrl_c_comes  # type: ignore[assignment]
    main()
