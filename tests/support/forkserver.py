"""Processes that are there within 20 ms, to be killed or to be a command: forked from one that has imported all."""

import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

PROCESSES = get_context("forkserver")
# There is one such server for all tests, and only what is named before it starts is imported by it.
PROCESSES.set_forkserver_preload(
    [
        "tests.memory.test_crash",
        "tests.campaign.faults.test_killed",
        "tests.support.built_command",
        "tests.support.executor",
        # What commands import only when they need it.
        "encodings.cp437",
        "encodings.idna",
        "numpy.ma",
        "peva_agents.arena",
        "peva_agents.learnt",
        "peva_env_command",
        "pydantic.type_adapter",
        "rich._emoji_codes",
        "typer.rich_utils",
    ]
)

LIMIT_S = 120

Ended = subprocess.CompletedProcess[str]


def peva(*args: str, output: str | None = None, **environment: str) -> Ended:
    """Run ``peva-env`` in this folder, in a process of its own, without the second of CPU time that its imports take.

    What depends on the start itself or on signals has to start the installed command. ``output`` is a file in place of
    its standard output; ``closed`` is a pipe that nobody reads.

    Raises:
        AssertionError: the process did not end, or a signal killed it. A command ends itself at a signal.
    """
    with tempfile.TemporaryDirectory() as folder:
        written, errors = Path(folder, "output"), Path(folder, "errors")
        written.touch()
        how = (args, Path.cwd(), {**os.environ, **environment}, Path(output or written), errors)
        process = PROCESSES.Process(target=_become, args=how)
        process.start()
        process.join(LIMIT_S)
        in_time = process.exitcode is not None
        process.kill()
        process.join()
        assert in_time, f"peva-env {args} did not end within {LIMIT_S} s: {errors.read_text()}"
        code = process.exitcode or 0
        assert code >= 0, f"{signal.Signals(-code).name} killed peva-env {args}: {errors.read_text()}"
        return Ended(
            ["peva-env", *args],
            code,
            written.read_text(environment.get("PYTHONIOENCODING", "utf-8")),
            errors.read_text(),
        )


def _become(args: tuple[str, ...], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path) -> None:
    """Be the command, with everything that a new process would get from whoever starts it."""
    for stream, path in ((sys.stdout, output), (sys.stderr, errors)):
        if path.name == "closed":
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, stream.fileno())
            os.close(writer)
        else:
            with path.open("wb") as file:
                os.dup2(file.fileno(), stream.fileno())
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115 - a descriptor, kept open
    if environment.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["peva-env", *args]
    from peva_env_command import main

    main()
