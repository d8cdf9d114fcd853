"""Runs the tests side by side, says at the end which real parts they ran against, and gives properties no deadline."""

import gc
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6 import find_k6
from peva_env.sources.k6.binary import k6_version
from tests.support.machine import (
    TwoKinds,
    give_way,
    import_apart,
    keep_temporary_files_in_ram,
    machine,
    n_workers,
    write_groups,
)

keep_temporary_files_in_ram()

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # The tests start hundreds of processes, and without byte code each compiles all that it imports. It is kept apart.
    os.environ["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / f"peva-env-bytecode-{os.getuid()}")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background job of a shell ignores Ctrl-C, and so would the processes that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a second run leave out what a first one has shown."""
    parser.addoption("--write-passed", type=Path, metavar="FILE", help="write the names of the tests that pass")
    parser.addoption("--but-passed", type=Path, metavar="FILE", help="leave out the tests with these names")


def pytest_configure(config: pytest.Config) -> None:
    """In a worker of xdist: give way to tests that measure. No garbage is collected before the tests are."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        gc.disable()
        give_way(worker["workerid"])


@pytest.hookimpl(tryfirst=True)  # before the tests are collected, which imports all files in one order
def pytest_collection(session: pytest.Session) -> None:
    worker = getattr(session.config, "workerinput", None)
    if worker is not None:
        import_apart(worker, session.config.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if file := config.getoption("--but-passed"):
        passed = set(file.read_text(encoding="utf-8").splitlines())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Start workers for all tests or a folder of them; single files run in this process."""
    return 0 if all(".py" in name for name in config.args) else n_workers()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoKinds | None:
    """Schedule by kind, unless ``--dist`` asks for another way."""
    return TwoKinds(config, log) if config.getoption("dist") == "load" else None


@pytest.hookimpl(tryfirst=True)  # before xdist tells the scheduler that this worker has collected
def pytest_collection_finish(session: pytest.Session) -> None:
    worker = getattr(session.config, "workerinput", None)
    if worker is not None:
        write_groups(worker, session.items)
    # At its first property, Hypothesis asks the collector who refers to its source of chance: the frozen are not found.
    hypothesis.given(hypothesis.strategies.none())(lambda _: None)()
    gc.enable()
    gc.freeze()  # thousands of tests and modules stay: to look at each of them again and again took a tenth of the time


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before the clock of pytest-timeout starts
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with machine(exclusive=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # pytest 8.3 does not show its type
    passed = terminalreporter.stats.get("passed", [])
    if file := config.getoption("--write-passed"):
        file.write_text("".join(f"{report.nodeid}\n" for report in passed), encoding="utf-8")
    n_with = {mark: sum(mark in report.keywords for report in passed) for mark in ("live", "prometheus")}
    parts = f"{', '.join(_parts())}; {n_with['live']} tests sent real load, {n_with['prometheus']} asked Prometheus"
    terminalreporter.write_line(f"real parts: {parts}")


def _parts() -> Iterator[str]:
    yield f"DuckDB {duckdb.__version__}"
    try:
        yield f"k6 {k6_version(find_k6())}"
    except LoadGeneratorError:
        yield "no k6"
    for program in ("prometheus", "prometheus-node-exporter"):
        yield _said(program) if shutil.which(program) else f"no {program}"


def _said(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    version = (done.stdout + done.stderr).partition("version ")[2].split()[0].rstrip(",")
    return f"{program} {version}"
