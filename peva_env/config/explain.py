"""Validation errors as one line that a user can act on."""

import datetime
import difflib
import reprlib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel

from peva_env.config.rates import has_older_rates
from peva_env.config.section import KEY_OF_SECTION

_TAGS = ("linear", "random", "exponential", "custom", "auto")
"""Names of union members that pydantic adds to the location of an error."""

_LONGEST_WORD = 120
"""Characters of a name that a message shows: a key of a file may have millions."""

_TEXT = "must be text; where YAML reads something else, write it in quotes"
_KEYS_AND_VALUES = "must hold keys and values, each as `key: value`"
_REMEDIES = {
    "string_type": _TEXT,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "list_type": "must be a list: its values in [ ], or each on a line of its own after '- '",
    "dict_type": _KEYS_AND_VALUES,
    "model_type": _KEYS_AND_VALUES,
    "model_attributes_type": _KEYS_AND_VALUES,
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "recursion_loop": "must not contain itself",
}
"""What would be right, by the type of pydantic's problem, where its own message speaks of Python."""

_PATTERNS = {
    "namespace": "must be lower-case letters, digits and '-', the first and the last no '-', and at most 63 of them",
    "revision_header": "must be the name of a header: letters, digits and '-', for example X-Revision",
    "username": "must hold no colon and no control character, and not be empty",
}
"""What would be right, by the key, where pydantic would show a regular expression."""


def explain_problem(problem: Mapping[str, Any], model: type[BaseModel], data: Mapping[str, Any] | None = None) -> str:
    """Turn one pydantic problem into ``path = value: what would be right``; ``data`` is a whole configuration."""
    location = location_of(problem, data or {})
    path = path_text(location)
    message = _without_long_words(str(problem["msg"]).removeprefix("Value error, "))
    message = _REMEDIES.get(problem["type"], message[:1].lower() + message[1:])
    if problem["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(str(location[-1]), message)
    if problem["type"] == "extra_forbidden":
        *parents, key = problem["loc"]
        known = _known_names(model, parents)
        nearest = nearest_name(str(key), known, cutoff=0.6) or _longer_name(str(key), known)
        hint = f"did you mean {nearest!r}?" if nearest else f"known keys: {', '.join(known)}"
        return f"{path}: unknown key; {hint}"
    if problem["type"].startswith("union_tag"):
        shared = _TAGS if location == ("rate_strategy",) else tuple(tag for tag in _TAGS if tag != "auto")
        return f"{path}.type: must be one of {', '.join(shared)}"
    if problem["type"] == "invalid_key" or location[-1:] == ("[key]",):
        section = path_text(location[: -1 if problem["type"] == "invalid_key" else -2])
        return f"{section}: the key {shown(problem['input']):.60} {_TEXT}".removeprefix(": ")
    if problem["type"] == "missing":
        return f"{path}: is required"
    if problem["type"] == KEY_OF_SECTION:
        return f"{path}.{message}".lstrip(".")
    if not path or isinstance(problem["input"], dict) or "headers" in location:  # header values may be tokens
        return f"{path}: {message}" if path else message
    said = without_user(problem["input"])
    # The query string of a url may hold a key.
    if location[-1:] == ("url",) and "?" in said:
        said = f"{said.partition('?')[0]}?..."
    return f"{path} = {said:.60}: {message}"


def without_user(value: object) -> str:
    """Return a value for an error, without text before an @, which may be a password: 'http://user:password@host'."""
    # Without a regular expression: its time would grow with the square of a long value.
    _, at, said = shown(value).rpartition("@")
    return f"'...@{said}" if at else said


class _Repr(reprlib.Repr):
    """Python's way to write large values, but dates are as YAML has them."""

    def repr_date(self, value: datetime.date, _level: int) -> str:
        return str(value)

    repr_datetime = repr_date


def shown(value: object) -> str:
    """Return a value as Python writes it, without the inner parts of large ones, which could fill the memory."""
    try:
        return repr(value) if isinstance(value, str) else _Repr().repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of thousands of digits"


def _without_long_words(message: str) -> str:
    words = message.split(" ")
    return " ".join(word if len(word) <= _LONGEST_WORD else f"{word[: _LONGEST_WORD - 1]}…" for word in words)


def location_of(problem: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Return the keys and indices that lead to a problem of some data, as they stand in the file."""
    found = problem["loc"]
    kept = tuple(part for i, part in enumerate(found) if not (part in _TAGS and found[i - 1] == "rate_strategy"))
    return ("rates", *kept[1:]) if kept[:1] == ("rate_strategy",) and has_older_rates(data) else kept


def path_text(location: Iterable[int | str]) -> str:
    """Return a location as ``functions[0].name``, its end left out where it is very long."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return f"{path:.{_LONGEST_WORD}}"


def nearest_key(problem: Mapping[str, Any], model: type[BaseModel], *, cutoff: float) -> str | None:
    """Return the valid key that an unknown one is most like, if it is at least ``cutoff`` (0..1) like it."""
    *parents, key = problem["loc"]
    return nearest_name(str(key), _known_names(model, parents), cutoff=cutoff)


def nearest_name(text: str, names: Iterable[str], *, cutoff: float) -> str | None:
    """Return the name that a text is most like, upper or lower case, if it is at least ``cutoff`` (0..1) like it."""
    by_lower = {name.lower(): name for name in names}
    nearest = difflib.get_close_matches(text.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[nearest[0]] if nearest else None


def _longer_name(text: str, names: Iterable[str]) -> str | None:
    """Return the first name of several words that begins with this one, such as ``max_rate`` with ``max``."""
    return next((name for name in names if name.startswith(f"{text.lower()}_")), None)


def _known_names(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """List the valid keys at a path."""
    models, is_free = [model], False
    for part in path:
        if part in _TAGS and all("type" in one.model_fields for one in models):
            models = [one for one in models if part in typing.get_args(one.model_fields["type"].annotation)]
        elif isinstance(part, int) or is_free:  # an item of a list, or a key that the user chose
            is_free = False
        else:
            fields = [one.model_fields[part] for one in models if part in one.model_fields]
            models = [found for field in fields for found in _models_in(field.annotation)]
            is_free = any(typing.get_origin(field.annotation) is dict for field in fields)
    return sorted({name for one in models for name in one.model_fields})


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (list, dict, typing.Union, types.UnionType, Annotated):
        for argument in typing.get_args(annotation):
            yield from _models_in(argument)
