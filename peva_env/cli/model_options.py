"""Options of a command that are made from the fields of a pydantic model."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from peva_env.config.offline import NO_OPTION, CommandOption

_NUMBERS = (int, float)


def options_of(model: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of a model, before the options of its own.

    The command's first parameter gets the values that the user gave, by the names of the fields. They are checked by
    the model later, so that its errors are the same from the command line as from Python.
    """
    markers = {name: _marker(field) for name, field in model.model_fields.items()}
    markers = {name: marker for name, marker in markers.items() if marker != NO_OPTION}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            texts = {name: values.pop(name) for name in markers}
            given = {name: text for name, text in texts.items() if text is not None}
            command({name: _value(markers[name], text) for name, text in given.items()}, **values)

        own = list(inspect.signature(command).parameters.values())[1:]
        made = [_parameter(name, model.model_fields[name], marker) for name, marker in markers.items()]
        parameters = [*made, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own)]
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return called

    return decorate


def _value(marker: CommandOption, text: Any) -> Any:
    return marker.parse(text) if marker.parse else text


def _marker(field: FieldInfo) -> CommandOption:
    return next((found for found in field.metadata if isinstance(found, CommandOption)), CommandOption())


def _parameter(name: str, field: FieldInfo, marker: CommandOption) -> inspect.Parameter:
    kind = _kind(field, marker)
    option = typer.Option(
        marker.name or f"--{name.replace('_', '-')}",
        metavar=marker.metavar,
        help=_help(field, repeatable=kind == list[str]),
    )
    annotation: Any = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _kind(field: FieldInfo, marker: CommandOption) -> Any:
    """Return the type of an option's value: a number where the field is one, else text or texts."""
    if marker.parse:
        return list[str] if marker.repeatable else str
    annotation = getattr(field.annotation, "__value__", field.annotation)
    choices = get_args(annotation) or (annotation,)
    if any(get_origin(choice) is tuple for choice in choices):
        return list[str]
    return next((choice for choice in choices if choice in _NUMBERS), str)


def _help(field: FieldInfo, *, repeatable: bool) -> str:
    """Return the description of a field, whether its option can be repeated, and its default."""
    default = None if field.default_factory else field.default
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    repeated = "; may be given several times" if repeatable else ""
    return f"{field.description}{repeated}{f' (default: {shown})' if shown not in (None, '') else ''}."
