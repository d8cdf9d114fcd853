"""The wheel has every data file, works on its own, and beside a package that is imported as ``agents``."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import peva_env
from tests.support.pages import blocks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
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


def test_the_version_is_the_same_wherever_it_stands(wheel: Path) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == peva_env.__version__
    assert wheel.name.startswith(f"peva_env-{peva_env.__version__}-")


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


def test_it_works_beside_a_package_that_is_imported_as_agents(wheel: Path, tmp_path: Path) -> None:
    """Whichever of the two is installed last: the neighbour is installed before ours, and anew after it.

    Each is there as it is when alone, and what they need agrees. To import both would show less and compile hundreds of
    files; that the wheel works is shown below.
    """
    folder = tmp_path / "venv"
    assert uv("venv", "-q", folder).returncode == 0

    def install(package: str | Path) -> None:
        installed = uv("pip", "install", "-q", "--reinstall-package", NEIGHBOUR, "--python", folder, package)
        assert installed.returncode == 0, installed.stderr

    install(NEIGHBOUR)
    for last in (wheel, NEIGHBOUR):
        install(last)
        assert changed_files(folder, NEIGHBOUR, "agents") == []
        assert changed_files(folder, "peva-env", "peva_agents") == []
        agreed = uv("pip", "check", "--python", folder)
        assert agreed.returncode == 0, agreed.stderr


def changed_files(venv: Path, package: str, folder: str) -> list[str]:
    """Return the files of an installed package that are not as it installed them; it has an importable ``folder``."""
    (site,) = venv.glob("lib/python*/site-packages")
    (installed,) = metadata.distributions(name=package, path=[str(site)])
    files = {str(file): file for file in installed.files or []}
    assert f"{folder}/__init__.py" in files
    return [name for name, file in files.items() if file.hash and not is_intact(file)]


def is_intact(file: metadata.PackagePath) -> bool:
    path, recorded = Path(file.locate()), file.hash
    assert recorded is not None
    if not path.is_file():
        return False
    digest = hashlib.new(recorded.mode, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == recorded.value


CAMPAIGN = """
functions: [{name: fetch}]
rate_strategy: {type: custom, rates: [5, 10]}
combinations: {min_functions: 1, max_functions: 2}
duration: 1s
timeout: 1s
iterations: 1
cooldown: {max_wait_seconds: 20, sleep_step_seconds: 1, idle_threshold_pct: 100}
overload: {cpu_overload_pct_of_capacity: 100, ram_overload_pct: 100}
"""
MAKE = 'import gymnasium; print(gymnasium.make("peva_env:peva/FaasSim-v1", node="random").reset(seed=0)[1])'


README_BLOCKS = [
    block.text for block in blocks(README) if block.language == "python" and "sb3_contrib" not in block.text
]
"""PyTorch would take longer to install than all else."""

OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python of these tests, with which those of the documentation run the blocks."""


def interpreter(version: str) -> Path | None:
    """Return a Python of this version, found on the PATH or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))]
    # What pyenv puts on the PATH is there for versions that are not chosen, too, and then only fails.
    works = (path for path in found if path and subprocess.run([path, "-V"], capture_output=True).returncode == 0)
    return next(map(Path, works), None)


VERSIONS = ("3.12", "3.13", "3.14")


@pytest.mark.live
@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_readme_shows_works_where_only_the_wheel_is_installed(
    wheel: Path, tmp_path: Path, version: str
) -> None:
    """Each Python measures; the newest one that is there does all else, too."""
    base, folder = interpreter(version), tmp_path / "venv"
    if base is None:
        pytest.skip(f"needs Python {version}")
    assert uv("venv", "-q", "--python", base, folder).returncode == 0
    installed = uv("pip", "install", "-q", "--python", folder, f"peva-env[local] @ {wheel.as_uri()}")
    assert installed.returncode == 0, installed.stderr
    (tmp_path / "peva.yml").write_text(CAMPAIGN)
    # Byte code stands beside the modules, and so is removed with them.
    without = {"UV_RUN_RECURSION_DEPTH", "PYTHONPYCACHEPREFIX"}
    environment = {name: value for name, value in os.environ.items() if name not in without}

    def called(command: str | list[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**environment, "MPLBACKEND": "agg"},
            shell=isinstance(command, str),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
        )

    def output(command: str | list[str | Path]) -> str:
        done = called(command)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    program = folder / "bin" / "peva-env"
    output([folder / "bin" / "python", "-c", MAKE])
    report = output([program, "run", "--config", "peva.yml"]).partition("\nas a page: ")[2]
    if any(interpreter(newer) for newer in VERSIONS[VERSIONS.index(version) + 1 :]):
        return
    refused = called(report)
    assert refused.returncode == 2
    output(refused.stderr.partition("not installed: ")[2])  # copied as it was printed
    output(report)
    output([program, "ask", "fetch=7"])
    output([program, "arena", "--sim", "random:1", "--agents", "bisection", "--budgets", "5", "--jobs", "1"])
    for block in README_BLOCKS if version != OWN_VERSION else []:
        output([folder / "bin" / "python", "-c", block])
