"""Campaigns of the real command line in the current folder: their configuration, their processes, what they left."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import duckdb
import psutil
import yaml

from tests.support.forkserver import LIMIT_S, peva
from tests.support.processes import command_of

COMMAND = shutil.which("peva-env", path=str(Path(sys.executable).parent))
MEMORY = Path("peva-results/peva_faas.duckdb")
EVENTS = Path("peva-results/events.jsonl")
WAITS_50_MS = """
    import asyncio
    async def handle(request):
        await asyncio.sleep(0.05)
        return 'ok'
"""
WAITS_200_MS = """
    import asyncio
    async def handle(request):
        await asyncio.sleep(0.2)
        return 'ok'
"""
"""Each of its places serves 5 requests/s without CPU. There are many places, so that requests which come together after
a pause of k6 find one: what it bears hardly depends on what else the machine does."""

AT_ONCE = "def handle(request): return 'ok'"


def function(name: str, code: str, **settings: Any) -> dict[str, Any]:
    """Write a user's own function and return its configuration."""
    Path(f"{name}.py").write_text(textwrap.dedent(code))
    return {"name": name, "source": f"{name}.py:handle", **settings}


def campaign(*functions: dict[str, Any], rates: list[int], **settings: Any) -> dict[str, Any]:
    return {
        "functions": list(functions) or [function("quick", AT_ONCE)],
        "rate_strategy": {"type": "custom", "rates": rates},
        "duration": "1s",
        "timeout": "1s",
        "iterations": 1,
        "overload": {"success_rate_function_min": 0.8, "success_rate_node_min": 0.8},  # five requests decide these
        "cooldown": {"max_wait_seconds": 20, "sleep_step_seconds": 0.2},
        **settings,
    }


def write(config: dict[str, Any]) -> None:
    Path("peva.yml").write_text(yaml.safe_dump(config))


def start(*args: str, **environment: str) -> subprocess.Popen[str]:
    """Start the installed command, for a test that sends signals to it or watches what it starts."""
    assert COMMAND is not None
    command = [COMMAND, "run", "--config", "peva.yml", *args]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, **environment}, **pipes)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error."""
    try:
        output, errors = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert "Traceback" not in errors
    return process.returncode, output, errors


def run(*args: str) -> tuple[int, str, str]:
    """Run a campaign in a process of its own; return exit code, standard output and standard error."""
    ended = peva("run", "--config", "peva.yml", *args)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


def one_line(errors: str) -> str:
    (line,) = errors.splitlines()
    return line


def query(sql: str) -> list[tuple[Any, ...]]:
    """Ask a copy of the memory: looking must not replay or change what a killed process left."""
    shutil.rmtree("copy", ignore_errors=True)
    shutil.copytree(MEMORY.parent, "copy")
    with duckdb.connect(str(Path("copy") / MEMORY.name)) as memory:
        return memory.execute(sql).fetchall()


def runs() -> list[tuple[Any, ...]]:
    """Return every measured run in order: configuration, iteration, run_id, when, verdict."""
    return query(
        "SELECT rates_rps, iteration, run_id, started_at, verdict FROM execution_events "
        "WHERE kind = 'measured' ORDER BY started_at"
    )


def statuses() -> list[str]:
    return [status for (status,) in query("SELECT status FROM run_sessions ORDER BY started_at")]


def n_events() -> int:
    return len(EVENTS.read_text().splitlines()) if EVENTS.exists() else 0


def k6_runs_in(process: subprocess.Popen[str]) -> bool:
    return any("PEVA_PLAN=" in command_of(child) for child in psutil.Process(process.pid).children())
