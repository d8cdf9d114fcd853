"""The documentation as its tests see it: pages, their blocks of code, the commands in these, links and headings."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import typer

from peva_env.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(DOCS).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts
}
"""The text of each page by its name, such as ``howto/bring-your-node``."""

_BLOCK = re.compile(r"^( *)```([\w{}-]*)(?: \S+)?\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: the language that it says it is in, and its text."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page, in their order."""
    return [Block(language, textwrap.dedent(code)) for _, language, code in _BLOCK.findall(text)]


def prose(text: str) -> str:
    """Return a page without its blocks."""
    return _BLOCK.sub("", text)


def peva_env_calls(script: str) -> Iterator[list[str]]:
    """Yield what follows ``peva-env`` in each line of a shell script that calls it."""
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        if "peva-env" in words:
            yield words[words.index("peva-env") + 1 :]


@cache
def _peva_env() -> Any:
    """Return the command, built once: it has hundreds of options."""
    return typer.main.get_command(app)


def parsed(words: list[str]) -> str:
    """Return which command words call, such as ``memory info``; all of them must be understood.

    Raises:
        Exception: a command or an option is not there, an argument is missing, or a value is of the wrong kind.
    """
    command = _peva_env()
    name: list[str] = []
    while hasattr(command, "commands"):
        word, *words = words
        command = command.commands[word]
        name.append(word)
    command.make_context(" ".join(name), words)
    return " ".join(name)


def links(text: str) -> list[str]:
    """Return where a page's links lead to, save those to other sites."""
    return [target for target in _LINK.findall(prose(text)) if "://" not in target]


def anchors(text: str) -> set[str]:
    """Return the names by which GitHub, and MyST, link to the headings of a page."""
    headings = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in _HEADING.findall(prose(text)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
