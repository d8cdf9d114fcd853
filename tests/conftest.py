"""Says at the end which real parts the tests ran against, and lets no property depend on how busy the machine is."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import duckdb
import hypothesis

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6 import find_k6
from peva_env.sources.k6.binary import k6_version

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_terminal_summary(terminalreporter: Any) -> None:  # pytest 8.3 does not show its type
    passed = terminalreporter.stats.get("passed", [])
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
