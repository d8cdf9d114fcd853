"""Options that the commands about maps share: ``ask``, ``diff`` and ``report``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from peva_env.errors import ConfigError
from peva_env.memory import MAX_REPETITION

DEFAULT_MEMORY = Path("peva-results/peva_faas.duckdb")
"""Where a campaign puts its memory, unless its configuration says otherwise."""

DominanceRule = Literal["one_sided", "within_sets", "two_sided"]
"""``peva_env.inference.grid.Dominance``; older Typers do not look behind the name of a type."""

Context = Annotated[str | None, typer.Option(help="Context hash or prefix; default: the context measured last.")]
Repetition = Annotated[
    int | None, typer.Option(min=1, max=MAX_REPETITION, help="Number of the repetition; default: the last.")
]
Functions = Annotated[str | None, typer.Option(help="Only these functions, separated by commas.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Schema = Annotated[str, typer.Option("--schema-version", help="Schema label that the memory must have.")]


def names(functions: str | None) -> list[str] | None:
    """Return the names between the commas, None without the option.

    Raises:
        ConfigError: a name is empty.
    """
    if functions is None:
        return None
    found = [name.strip() for name in functions.split(",")]
    if not all(found):
        raise ConfigError(f"--functions {functions!r}: a name is empty; write them as in a,b")
    return found
