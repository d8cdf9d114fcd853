"""Commands whose numbers are read as those in files are; all commands of ``peva-env`` are such ones."""

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from peva_env.errors import ConfigError
from peva_env.system import plain_number


class CommandGroup(typer.Typer):
    """A group whose commands refuse what only Python takes for a number, such as ``1_0``."""

    def command(self, *args: Any, **settings: Any) -> Callable[[Any], Any]:
        """Return the decorator of a command, as Typer does."""
        return super().command(*args, cls=_Command, **settings)


class _Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        texts, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        rest = super().parse_args(ctx, args)
        options = {parameter.name: parameter.opts[0] for parameter in self.params}
        for name, given in texts.items():
            for text, value in zip(_several(given), _several(ctx.params.get(name)), strict=False):
                if isinstance(text, str) and type(value) in (int, float):
                    try:
                        plain_number(text.strip())
                    except ValueError as error:
                        raise ConfigError(f"{options[name]} {text!r}: {error}") from error
        return rest


def _several(given: Any) -> Sequence[Any]:
    return given if isinstance(given, (list, tuple)) else [given]
