"""The command line as Markdown, made from the commands themselves: what the page ``reference/commands`` ends with."""

import re
from collections.abc import Iterator
from typing import Any

import typer

NAME = "peva-env"


def commands(app: typer.Typer) -> Iterator[tuple[str, Any, typer.Context]]:
    """Yield every command that does something: as it is typed, itself, and the context that it is called in."""
    group: Any = typer.main.get_command(app)
    yield from _below(NAME, group, typer.Context(group, info_name=NAME))


def _below(name: str, group: Any, context: typer.Context) -> Iterator[tuple[str, Any, typer.Context]]:
    for word, command in group.commands.items():
        inner = typer.Context(command, info_name=word, parent=context)
        if hasattr(command, "commands"):
            yield from _below(f"{name} {word}", command, inner)
        else:
            yield f"{name} {word}", command, inner


def command_reference(app: typer.Typer) -> str:
    """Return a section for each command: what it does, how it is called, and every argument and option."""
    return "\n".join(line for command in commands(app) for line in _section(*command))


def _section(name: str, command: Any, context: typer.Context) -> Iterator[str]:
    yield f"\n## {name}\n"
    yield f"{_marked(command.help)}\n"
    yield f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield "| | |\n|---|---|"
    for parameter in command.params:
        told = parameter.get_help_record(context)
        if told is not None:
            how, meaning = (text.replace("|", r"\|") for text in told)
            yield f"| `{how}` | {_marked(meaning)} |"


def _marked(text: str) -> str:
    """Mark options as code, which keeps their two hyphens."""
    return re.sub(r"(?<!\S)--[a-z-]+", r"`\g<0>`", text)
