"""Processes that are there within 20 ms, to be killed or to be a command: forked from one that has imported all."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

PROCESSES = get_context("forkserver")
# There is one such server for all tests, and only what is named before it starts is imported by it.
PROCESSES.set_forkserver_preload(
    [
        "tests.memory.test_crash",
        "tests.campaign.faults.test_killed",
        "peva_env.cli.commands",
    ]
)

LIMIT_S = 120

Ended = subprocess.CompletedProcess[str]


def peva(*args: str, **environment: str) -> Ended:
    """Run ``peva-env`` in this folder, in a process of its own, without the second of CPU time that its imports take.

    What depends on the start itself, on signals or on closed streams has to start the installed command.
    """
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        how = (args, Path.cwd(), {**os.environ, **environment}, output, errors)
        process = PROCESSES.Process(target=_become, args=how)
        process.start()
        process.join(LIMIT_S)
        in_time = process.exitcode is not None
        process.kill()
        process.join()
        assert in_time, f"peva-env {args} did not end within {LIMIT_S} s: {errors.read_text()}"
        return Ended(["peva-env", *args], process.exitcode or 0, output.read_text(), errors.read_text())


def _become(args: tuple[str, ...], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path) -> None:
    """Be the command, with everything that a new process would get from whoever starts it."""
    for stream, path in ((sys.stdout, output), (sys.stderr, errors)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["peva-env", *args]
    from peva_env_command import main

    main()
