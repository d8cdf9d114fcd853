"""Tests run side by side, those marked ``alone`` beside none, and a background job runs them as a terminal does."""

import os
import re
import subprocess
import sys
from pathlib import Path
from signal import SIGINT

import pytest

from tests.support.machine import ALONE, COMPUTING, WAITING, from_another_on, next_group

ROOT = Path(__file__).parents[2]

LOGS = """
import time
from pathlib import Path
import pytest

@pytest.fixture(autouse=True)
def log():
    began_at = time.monotonic()
    yield
    with Path(__file__).with_suffix(".log").open("a") as file:
        file.write(f"{began_at} {time.monotonic()}\\n")

def test_it():
    time.sleep(0.2)
"""
MARKED = f"{LOGS}\npytestmark = pytest.mark."


def spans(path: Path) -> list[tuple[float, ...]]:
    """Return when the tests of a file began and ended."""
    return [tuple(map(float, line.split())) for line in path.read_text().splitlines()]


def test_a_test_marked_alone_runs_beside_no_other(tmp_path: Path) -> None:
    files = {"a_alone": f"{MARKED}alone", "computes": LOGS, "computes_too": LOGS, "waits": f"{MARKED}live"}
    for name, code in files.items():
        (tmp_path / f"test_{name}.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest", "-n", "2"]
    command += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={tmp_path}", str(tmp_path)]
    apart = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}  # with a lock of its own
    ended = subprocess.run(command, env=apart, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout
    ((began_at, ended_at),) = spans(tmp_path / "test_a_alone.log")
    others = [span for name in files if name != "a_alone" for span in spans(tmp_path / f"test_{name}.log")]
    assert len(others) == 3
    assert all(end <= began_at or ended_at <= start for start, end in others)


@pytest.mark.parametrize(
    ("kinds", "first"),
    [
        ((COMPUTING,), "computes:tests/test_z.py"),
        ((WAITING, COMPUTING, ALONE), "waits:tests/a/test_a.py"),
        ((ALONE,), "alone"),
        (("unknown",), None),
    ],
)
def test_a_worker_gets_the_first_of_its_kinds_and_files_at_the_root_before_those_in_folders(
    kinds: tuple[str, ...], first: str | None
) -> None:
    groups = ["computes:tests/a/test_a.py", "waits:tests/a/test_a.py", "waits:tests/b/test_b.py"]
    assert next_group(dict.fromkeys([*groups, "computes:tests/test_z.py", "alone"], 1), kinds) == first


def test_of_the_files_that_wait_the_one_with_most_tests_comes_first() -> None:
    sizes = {"waits:tests/a/test_a.py": 2, "waits:tests/a/test_b.py": 9, "computes:tests/a/test_c.py": 50}
    assert next_group(sizes, [WAITING, COMPUTING]) == "waits:tests/a/test_b.py"


def test_workers_begin_with_different_files_and_import_all() -> None:
    orders = [from_another_on("abcdefg", number, 3) for number in range(3)]
    assert [order[0] for order in orders] == ["a", "c", "e"]
    assert {"".join(sorted(order)) for order in orders} == {"abcdefg"}


def test_a_background_job_whose_ctrl_c_is_ignored_can_interrupt_what_it_starts() -> None:
    which = f"tests/system/test_processes.py::test_children_and_grandchildren_end_with_a_killed_parent[{SIGINT}]"
    pytest_in_background = f"trap '' INT; exec {sys.executable} -m pytest -q -n0 -p no:cacheprovider '{which}'"
    ended = subprocess.run(["sh", "-c", pytest_in_background], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    assert re.search(r"^1 passed", ended.stdout, re.MULTILINE), ended.stdout
