"""The wheel has every data file, and can be installed before or after a package that is imported as ``agents``."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv")
NEIGHBOUR = "openai-agents"
"""A package that is imported as ``agents``: a wheel of ours with such a folder would overwrite it."""

pytestmark = pytest.mark.skipif(UV is None, reason="needs uv to build and install the wheel")


def uv(*args: str | Path) -> subprocess.CompletedProcess[str]:
    assert UV is not None
    command = [UV, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=240)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh virtual environment, on a machine that reaches the package registry."""
    folder = tmp_path_factory.mktemp("venv") / "first"
    assert uv("venv", "-q", folder).returncode == 0
    dry_run = uv("pip", "install", "--dry-run", "--python", folder, NEIGHBOUR)
    if dry_run.returncode:
        pytest.skip(f"needs the package registry: {dry_run.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.fixture(scope="module")
def wheel(venv: Path) -> Path:
    folder = venv.parent / "dist"
    built = uv("build", "-q", "--wheel", "--out-dir", folder)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    folders = {"peva_env": ROOT, "peva_agents": ROOT / "agents"}
    expected = {
        path.relative_to(above).as_posix()
        for package, above in folders.items()
        for path in (above / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not expected - names
    named = ("py.typed", "sample.yml", "load.js", "queries.yml", "learnt.npz", "page.html.j2", "main.js", "style.css")
    assert {name for name in named if not any(found.endswith(f"/{name}") for found in names)} == set()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {*folders, "peva_env_command.py"}


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "ours last"])
def test_it_works_beside_a_package_that_is_imported_as_agents(wheel: Path, tmp_path: Path, ours_first: bool) -> None:
    folder = tmp_path / "venv"
    assert uv("venv", "-q", folder).returncode == 0
    for package in (wheel, NEIGHBOUR) if ours_first else (NEIGHBOUR, wheel):
        installed = uv("pip", "install", "-q", "--python", folder, package)
        assert installed.returncode == 0, installed.stderr
    code = "from agents import Agent; from peva_agents.cartesian import CartesianAgent"
    imported = subprocess.run(
        [folder / "bin" / "python", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120
    )
    assert imported.returncode == 0, imported.stderr
