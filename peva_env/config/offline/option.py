"""The command-line option of a model's field, as metadata of the field's annotation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CommandOption:
    """The properties of an option that do not follow from its field's name and type.

    Args:
        name: the option; without it, the name of the field with hyphens.
        metavar: the placeholder of the value in the help.
        parse: converts the option's text, or the list of its texts if it is ``repeatable``; it may raise ConfigError.
        repeatable: the option may be given several times.
    """

    name: str | None = None
    metavar: str | None = None
    parse: Callable[[Any], Any] | None = None
    repeatable: bool = False


NO_OPTION = CommandOption(name="")
"""Marks a field that can be set from Python, but not on the command line."""
