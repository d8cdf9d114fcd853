"""Validation errors as one line that a user can act on."""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel

_TAGS = ("linear", "random", "exponential", "custom")
"""Where a value is one of several models, pydantic's location also holds which of them was tried."""


def explain_problem(problem: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Turn one pydantic problem into ``path = value: what would be right``."""
    found = problem["loc"]
    location = [part for i, part in enumerate(found) if not (part in _TAGS and found[i - 1] == "rate_strategy")]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    message = str(problem["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if problem["type"] == "extra_forbidden":
        names = _known_names(model, problem["loc"][:-1])
        nearest = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known keys: {', '.join(sorted(names))}"
        return f"{path}: unknown key; {hint}"
    if problem["type"].startswith("union_tag"):
        return f"{path}.type: must be one of {', '.join(_TAGS)}"
    if problem["type"] == "missing":
        return f"{path}: is required"
    if not path or isinstance(problem["input"], dict) or "headers" in location:  # whose values may be tokens
        return f"{path}: {message}" if path else message
    # What stands before an @ may be a password: 'http://user:password@host'.
    shown = re.sub(r".*@", "'...@", repr(problem["input"]), flags=re.DOTALL)
    return f"{path} = {shown:.60}: {message}"


def _known_names(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """List the keys that may stand where a path points."""
    models = [model]
    for part in path:
        if part in _TAGS and all("type" in one.model_fields for one in models):
            models = [one for one in models if part in typing.get_args(one.model_fields["type"].annotation)]
        elif not isinstance(part, int):
            fields = [one.model_fields[part] for one in models if part in one.model_fields]
            models = [found for field in fields for found in _models_in(field.annotation)]
    return sorted({name for one in models for name in one.model_fields})


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (list, typing.Union, types.UnionType, Annotated):
        for argument in typing.get_args(annotation):
            yield from _models_in(argument)
