"""How the user calls this program: commands that work when they are copied, and how to install what is missing."""

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PROGRAM = "peva-env"
_EXTRA_OF = re.compile(r"(?P<package>[^;]+?) *; *extra == ['\"](?P<extra>[\w-]+)['\"]")


def command_text(*words: str | Path, extra: str | None = None) -> str:
    """Return a command of ``peva-env`` as the user can copy it into the same shell.

    Args:
        words: the words after ``peva-env``; they are quoted for a shell.
        extra: the optional dependencies that the command needs, which ``uv run`` installs first.
    """
    return shlex.join([*_program(extra), *map(str, words)])


def install_text(extra: str) -> str:
    """Return the command that installs the optional dependencies ``extra`` into this environment.

    In a clone it is what the user called, with the extra; elsewhere it names the packages, since a wheel from a file is
    in no registry.
    """
    called = Path(sys.argv[0]).name == _PROGRAM
    if _is_uv_run() and (clone := _clone()):
        if called:
            return command_text(*sys.argv[1:], extra=extra)
        return shlex.join(["uv", "sync", *_project(clone), "--inexact", "--extra", extra])
    packages = _packages(extra)
    if _installer() == "uv":
        return shlex.join(["uv", "pip", "install", "--python", sys.prefix, *packages])
    return shlex.join([sys.executable, "-m", "pip", "install", *packages])


def _program(extra: str | None) -> list[str]:
    if _is_uv_run():
        clone = _clone()
        with_extra = ["--extra", extra] if clone and extra else []
        return ["uv", "run", *(_project(clone) if clone else []), *with_extra, _PROGRAM]
    ours = Path(sys.prefix, "bin", _PROGRAM)
    on_path = shutil.which(_PROGRAM)
    is_ours = on_path is not None and Path(on_path).resolve() == ours.resolve()
    return [_PROGRAM if is_ours or not ours.exists() else str(ours)]


def _is_uv_run() -> bool:
    return "UV_RUN_RECURSION_DEPTH" in os.environ


def _project(clone: Path) -> list[str]:
    """Return what tells uv where the clone is, if the user is elsewhere."""
    here = Path.cwd()
    return [] if here.is_relative_to(clone) else ["--project", str(clone)]


@cache
def _clone() -> Path | None:
    """Return the folder of the sources that are installed as they stand; None if a wheel is installed."""
    text = importlib.metadata.distribution(_PROGRAM).read_text("direct_url.json")
    source = json.loads(text) if text else {}
    is_editable = source.get("dir_info", {}).get("editable", False)
    return Path(unquote(urlsplit(source["url"]).path)) if is_editable else None


def _installer() -> str:
    return (importlib.metadata.distribution(_PROGRAM).read_text("INSTALLER") or "").strip()


def _packages(extra: str) -> list[str]:
    found = map(_EXTRA_OF.fullmatch, importlib.metadata.requires(_PROGRAM) or [])
    return [match["package"] for match in found if match and match["extra"] == extra]
