"""The commands that are printed to be copied, in each way to call the program."""

import importlib.metadata
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from peva_env.system import command_text, install_text, invocation


class Installed:
    """Plays the record that an installer leaves of the package."""

    def __init__(self, installer: str, source: dict[str, Any] | None) -> None:
        self.requires = ["duckdb>=1.5", *(f"{name}; extra == 'report'" for name in PACKAGES), "ray; extra == 'ray'"]
        self.files = {"INSTALLER": f"{installer}\n", "direct_url.json": json.dumps(source) if source else None}

    def read_text(self, name: str) -> str | None:
        return self.files[name]


PACKAGES = ["jinja2>=3.1", "plotly>=6"]
CLONE = {"url": "file:///a%20clone", "dir_info": {"editable": True}}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(installer: str = "uv", source: dict[str, Any] | None = None, *, uv_run: bool = False) -> None:
        invocation._clone.cache_clear()
        monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(installer, source))
        monkeypatch.setattr(sys, "argv", ["/bin/peva-env", "report", "--memory", "my memory.duckdb"])
        if uv_run:
            monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
        else:
            monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)

    yield install
    invocation._clone.cache_clear()


def test_in_a_clone_uv_runs_it_with_what_it_needs(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("uv", CLONE, uv_run=True)
    monkeypatch.setattr(Path, "cwd", lambda: Path("/a clone/examples"))
    assert command_text("run", "--config", Path("my peva.yml")) == "uv run peva-env run --config 'my peva.yml'"
    assert command_text("report", extra="report") == "uv run --extra report peva-env report"
    assert install_text("report") == "uv run --extra report peva-env report --memory 'my memory.duckdb'"
    monkeypatch.setattr(sys, "argv", ["notebook.py"])
    assert install_text("report") == "uv sync --inexact --extra report"


def test_uv_that_runs_a_clone_from_elsewhere_is_told_where_it_is(installed: Any) -> None:
    installed("uv", CLONE, uv_run=True)
    assert command_text("init") == "uv run --project '/a clone' peva-env init"


def test_in_an_environment_the_program_has_its_name_if_the_path_leads_to_it(
    installed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "peva-env"
    program.parent.mkdir()
    program.touch(0o755)
    installed("pip")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_text("report", extra="report") == "peva-env report"
    monkeypatch.setenv("PATH", "")
    assert command_text("report") == f"{program} report"


@pytest.mark.parametrize(
    ("installer", "begins"),
    [
        ("pip", [sys.executable, "-m", "pip", "install"]),
        ("uv", ["uv", "pip", "install", "--python", sys.prefix]),
    ],
)
def test_what_is_missing_beside_a_wheel_is_installed_by_its_packages(
    installed: Any, installer: str, begins: list[str]
) -> None:
    installed(installer)
    assert shlex.split(install_text("report")) == [*begins, *PACKAGES]
