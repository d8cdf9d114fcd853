"""The page on platforms of one's own, followed; and how such a platform is found, or refused."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from peva_env.campaign import factories
from peva_env.config import parse_config
from peva_env.errors import ConfigError, PlatformLoadError
from peva_env.platforms import Platform
from tests.support.forkserver import peva
from tests.support.pages import PAGES, blocks

_CODE, _CONFIG = (
    block.text for block in blocks(PAGES["howto/bring-your-platform"]) if block.language in ("python", "yaml")
)


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("my_platform.py").write_text(_CODE)
    importlib.invalidate_caches()


def platform_of(name: str) -> Platform:
    return factories.make_platform(parse_config({"platform": name, "functions": [{"name": "hello"}]}))


@pytest.mark.live
def test_the_platform_of_the_page_is_measured() -> None:
    Path("hello.txt").write_text("hi")
    Path("peva.yml").write_text(_CONFIG)

    ended = peva("run", "--config", "peva.yml")

    assert ended.returncode == 0, ended.stderr
    assert "complete: 2 configurations measured" in ended.stdout


def test_its_code_is_as_short_as_the_page_says() -> None:
    assert len([line for line in _CODE.splitlines() if line.strip()]) <= 45


def install(name: str, entrypoint: str) -> None:
    """Install a package here whose entry point brings a platform."""
    installed = Path("somebodys_package-1.0.dist-info")
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-package\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[peva_env.platforms]\n{name} = {entrypoint}\n")


def test_a_platform_is_found_by_the_name_of_an_entry_point() -> None:
    install("folder", "my_platform:FolderNode")

    assert platform_of("folder").name == "folder"


def test_an_entry_point_that_cannot_be_loaded_is_one_line() -> None:
    install("broken", "my_platform:NoSuchNode")

    with pytest.raises(PlatformLoadError, match=r"^platform 'broken' cannot be loaded: AttributeError"):
        platform_of("broken")


@pytest.mark.parametrize(
    ("name", "code", "error", "problem"),
    [
        ("opnfaas", "", ConfigError, "platform = 'opnfaas': must be one of local, openfaas, http, or module:Class"),
        ("absent:Node", "", PlatformLoadError, "platform 'absent:Node' cannot be loaded: there is no module 'absent'"),
        (
            "mine:Node",
            "class Node:\n    def __init__(self, config): pass\n",
            PlatformLoadError,
            "it lacks name, min_window_s",
        ),
        ("mine:Node", "class Node: pass\n", PlatformLoadError, "cannot be made of a configuration: TypeError"),
    ],
)
def test_what_is_no_platform_is_refused_in_one_line(
    name: str, code: str, error: Any, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(importlib.sys.modules, "mine", raising=False)  # type: ignore[attr-defined]
    Path("mine.py").write_text(code)

    with pytest.raises(error, match=problem) as raised:
        platform_of(name)

    assert "\n" not in str(raised.value)
