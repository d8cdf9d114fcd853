"""k6 in tests: scripts that play it, and the real ones that run."""

from pathlib import Path
from typing import Any

import psutil

from peva_env.sources.k6 import K6, FunctionLoad, LoadResult
from tests.support.processes import command_of

LOAD = FunctionLoad("figlet", 10, "http://127.0.0.1:9/")
FIND_PATHS = """
for argument in "$@"; do
  case "$argument" in
    PEVA_SUMMARY=*) summary=${argument#*=} ;;
    file=*) log=${argument#file=}; log=${log%,level=error} ;;
  esac
done
"""


def fake_k6(folder: Path, run: str = "exit 0", version: str = "k6 v1.1.0 (fake)", name: str = "k6") -> Path:
    """Write a shell script that answers ``version`` and plays a fault when asked to ``run``."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo "{version}"; exit 0; fi\n{FIND_PATHS}\n{run}\n')
    path.chmod(0o755)
    return path


def run_fake(folder: Path, script: str, load: FunctionLoad = LOAD, **options: Any) -> LoadResult:
    return K6(fake_k6(folder, script), timeout_s=0.1, **options).run([load], duration_s=0.1)


def running_k6() -> list[psutil.Process]:
    """The k6 processes that this process has started."""
    return [child for child in psutil.Process().children(recursive=True) if "PEVA_PLAN=" in command_of(child)]
