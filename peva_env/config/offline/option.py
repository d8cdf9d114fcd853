"""What a field of a model says about its option on the command line, as metadata of the field's annotation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CommandOption:
    """How an option differs from what its field's name and type say.

    Args:
        name: the option; without it, the name of the field with hyphens.
        metavar: what stands for the value in the help.
        parse: reads the option's text, or its texts if it is ``repeatable``. It raises ConfigError.
        repeatable: the option may be given several times.
    """

    name: str | None = None
    metavar: str | None = None
    parse: Callable[[Any], Any] | None = None
    repeatable: bool = False


NO_OPTION = CommandOption(name="")
"""Marks a field that can be set from Python, but not on the command line."""
