"""Paths on the command line: each is read by ``peva_env.system.local_path``, as those of configurations are."""

from pathlib import Path
from typing import Any

import typer

from peva_env.system import local_path


def path_option(*names: str, help: str) -> Any:  # noqa: A002 - Typer's own name
    """Return an option of Typer whose value is a path."""
    return typer.Option(*names, help=help, parser=_user_path, metavar="PATH")


def path_argument(*, help: str, metavar: str | None = None) -> Any:  # noqa: A002
    """Return an argument of Typer whose value, or each of whose values, is a path."""
    return typer.Argument(help=help, parser=_user_path, metavar=metavar)


def _user_path(text: str | Path) -> Path:
    if isinstance(text, Path):  # the default
        return text
    if text == ":memory:":
        raise typer.BadParameter("':memory:' must be a file: a memory in RAM is lost when the command ends")
    try:
        return local_path(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r:.100} {error}") from error
