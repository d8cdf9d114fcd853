"""Commands whose standard output is narrow in its encoding, closed or full, and files that cannot be written."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest
import yaml

from peva_env.contracts import Verdict
from tests.support.builders import event
from tests.support.commands import complaint, files
from tests.support.forkserver import peva
from tests.support.maps import remember

FUNCTION = "naïve-函数"
ASK = ["ask", f"{FUNCTION}=25", "--memory", "é.duckdb"]
NODE = {"functions": [{"name": "fetch"}], "rate_strategy": {"type": "custom", "rates": [20]}, "duration": "1s"}
READ = [
    ["--help"],
    ["--version"],
    ["plan"],
    ["config"],
    ["run", "--dry-run"],
    ["run", "--help"],
    ASK,
    [*ASK, "--json"],
    ["diff", "é.duckdb", "ö.duckdb"],
    ["memory", "info", "é.duckdb"],
    ["memory", "info", "é.duckdb", "--json"],
]
"""Commands that print much."""
WRITE = [
    ["init", "ü.yml"],
    ["memory", "export", "é.duckdb", "--core", "ü"],
    ["memory", "merge", "ü.duckdb", "é.duckdb"],
    ["memory", "verify", "é.duckdb"],
]


@pytest.fixture(scope="module")
def memories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memories")
    for name, bound in (("é", 30), ("ö", 20)):
        low, high = [(FUNCTION, 10)], [(FUNCTION, bound)]
        remember(folder / f"{name}.duckdb", [event(low), event(high, verdict=Verdict.OVERLOADED)], context_hash=name)
    return folder


@pytest.fixture(autouse=True)
def _cwd(memories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(memories, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("size", ["0", "3", "100000000000", "\u00b2", "x"])
def test_a_terminal_without_a_size_that_can_be_is_told_what_is_wrong(size: str) -> None:
    ended = peva("run", "--budget-runs", "0", COLUMNS=size, LINES=size)
    assert ended.returncode == 2
    assert "--budget-runs" in ended.stderr
    assert "--budget-runs" in peva("run", "--help", COLUMNS=size).stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_every_command_works_whatever_the_encoding_of_its_output(encoding: str) -> None:
    for args in READ + WRITE:
        ended = peva(*args, PYTHONIOENCODING=encoding)
        assert "Traceback" not in ended.stderr, args
        assert ended.returncode == int("verify" in args), (args, ended.stderr)


def test_what_an_encoding_lacks_is_escaped() -> None:
    assert peva(*ASK, PYTHONIOENCODING="ascii").stdout.startswith(r"na\xefve-\u51fd\u6570 25: ")


def test_a_locale_without_an_encoding_is_no_trouble() -> None:
    Path("é.duckdb").rename("e.duckdb")
    ended = installed(["memory", "info", "e.duckdb"], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert rb"\xe9 " in ended.stdout  # the node


def test_an_argument_that_the_locale_cannot_decode_is_one_line_and_exit_code_2() -> None:
    ended = installed(["memory", "info", "é.duckdb"], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ended.returncode == 2
    assert ended.stderr.startswith(rb"peva-env: argument '\udcc3\udca9.duckdb': is not text in ")
    assert ended.stderr.count(b"\n") == 1


def test_a_working_folder_that_the_locale_cannot_decode_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder-é").mkdir()
    monkeypatch.chdir("folder-é")
    ended = installed(["memory", "info", "e.duckdb"], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"peva-env: working folder '")
    assert ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize("args", READ, ids=" ".join)
def test_an_output_that_is_closed_is_exit_code_141(args: Sequence[str]) -> None:
    ended = peva(*args, output="closed")
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("args", READ, ids=" ".join)
def test_an_output_that_is_full_is_one_line_and_exit_code_1(args: Sequence[str]) -> None:
    message = complaint(peva(*args, output="/dev/full"), 1)
    assert message == "peva-env: standard output: cannot be written: No space left on device"


@pytest.mark.parametrize(
    ("args", "code"),
    [(["ask", "x"], 2), (["ask", "--nope"], 2), (["plan", "-c", "short.yml"], 0)],
    ids=["error", "usage", "warning"],
)
@pytest.mark.parametrize("kind", ["full", "closed"])
def test_an_error_output_that_cannot_be_written_does_not_change_the_exit_code(
    args: Sequence[str], code: int, kind: str
) -> None:
    Path("short.yml").write_text(yaml.safe_dump(NODE))
    if kind == "full":
        errors: int = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, errors = os.pipe()
        os.close(reader)
    with os.fdopen(errors, "wb") as stream:
        assert installed(args, stderr=stream).returncode == code


@pytest.mark.parametrize(
    "args",
    [
        ["init", "file/x.yml"],
        ["report", "--memory", "é.duckdb", "--out", "file/x.html"],
        ["memory", "export", "é.duckdb", "--core", "/proc/x"],
        ["memory", "merge", "file/x.duckdb", "é.duckdb"],
        ["arena", "--sim", "random:1", "--budgets", "3", "--out", "file/x"],
        ["run", "-c", "campaign.yml"],
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_one_line_and_exit_code_1(args: Sequence[str]) -> None:
    if args[0] == "report":
        pytest.importorskip("plotly", reason="needs the `report` extra")
    Path("file").write_text("")
    Path("campaign.yml").write_text(yaml.safe_dump(NODE | {"output_dir": "file"}))
    before = files()
    complaint(peva(*args), 1)
    assert files() == before


@pytest.mark.parametrize(
    "args",
    [
        ["run", "--algorithm", "x"],
        ["run", "--algorithm", "no_such_module:Policy"],
        ["run", "--agent", "x:Y"],
        ["run", "--agent", "x"],
        ["arena", "--agents", "x", "--sim", "random"],
        ["arena", "--agents", "x:Y", "--sim", "random"],
        ["run", "--agent", "missing.npz"],
        ["run", "--repetition", "2147483648"],
        ["ask", "a=1", "--repetition", "2147483648"],
    ],
    ids=" ".join,
)
def test_what_does_not_name_an_agent_or_a_number_is_exit_code_2(args: Sequence[str]) -> None:
    ended = peva(*args)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_error_names_the_highest_repetition() -> None:
    assert "2147483647" in peva("run", "--repetition", "2147483648", COLUMNS="200").stderr


def test_warnings_are_lines_also_where_python_was_told_to_raise_them() -> None:
    old = {"functions": [{"name": "fetch"}], "rates": {"min_rate": 0, "max_rate": 20, "step": 10}}
    Path("old.yml").write_text(yaml.safe_dump(old))
    for args in (["plan", "-c", "old.yml"], ["config", "-c", "old.yml"]):
        ended = peva(*args, PYTHONWARNINGS="error")
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ("peva-env: warning: 'rates' is deprecated: write 'rate_strategy' with type: linear\n")


def test_a_whole_arena_plays_where_python_was_told_to_raise_warnings() -> None:
    args = ["arena", "--agents", "bisection", "--sim", "random:1", "--budgets", "3", "--jobs", "1"]
    ended = peva(*args, PYTHONWARNINGS="error", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def installed(
    args: Sequence[str], *, stderr: IO[bytes] | int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command from the very start of Python."""
    command = [sys.executable, "-c", "from peva_env_command import main; main()", *args]
    environment = os.environ | environment
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, env=environment, timeout=60, check=False)


def test_a_policy_that_closes_the_standard_streams_leaves_them_to_the_command() -> None:
    closing = "import sys\nfrom peva_env.planning import NoOpPolicy as Policy\nsys.stdout.close()\nsys.stderr.close()\n"
    Path("closing_policy.py").write_text(closing)
    ended = installed(
        ["arena", "--agents", "closing_policy:Policy", "--sim", "random:1", "--budgets", "3", "--jobs", "1"]
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"closing_policy:Policy" in ended.stdout


def test_a_memory_that_was_cut_off_at_its_birth_is_begun_anew_with_a_line_that_says_so() -> None:
    shutil.copy("é.duckdb", "m.duckdb")
    os.truncate("m.duckdb", 4096)
    ended = peva("memory", "merge", "m.duckdb", "é.duckdb")
    assert ended.returncode == 0
    assert ended.stderr == (
        "peva-env: warning: memory m.duckdb: was cut off at 4,096 bytes, so that nothing can be read of it; it is "
        "begun anew\n"
    )
