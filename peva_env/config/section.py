"""The base of all sections of the configuration: what no value may be, whatever the key."""

import types
import typing
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

LARGEST_COUNT = 1_000_000
"""Of iterations, replicas and the like: more than any campaign reaches."""
LONGEST_S = 365 * 24 * 3600.0
"""Of a run, a request or a pause: a year. Far beyond it is more than the operating system can wait."""
KEY_OF_SECTION = "key_of_section"
"""Type of a problem whose message opens with a key of the section that it was found in."""


class Section(BaseModel):
    """A section of the configuration. An unknown key is an error."""

    # Inputs may hold a secret in the wrong place; our own errors show them with that left out.
    model_config = ConfigDict(extra="forbid", validate_default=True, hide_input_in_errors=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _means_what_it_says(cls, values: object) -> object:
        """Refuse truth values where a number is due (YAML's ``no``), and text that no file or process can be given."""
        if isinstance(values, dict):
            for key, field in cls.model_fields.items():
                if key not in values:  # its default was written by us
                    continue
                try:
                    if _is_number(field.annotation):
                        require_no_truth(values[key])
                    for text in _texts_in(values[key], of_dict=typing.get_origin(field.annotation) is dict):
                        _require_usable(text, may_hold_nul=key == "body")
                except ValueError as error:
                    raise PydanticCustomError(KEY_OF_SECTION, "{problem}", {"problem": f"{key}: {error}"}) from None
        return values


def require_no_truth[T](value: T) -> T:
    """Return a value that is neither ``true`` nor ``false``, where a number is due.

    Raises:
        ValueError: the value is one of them.
    """
    if isinstance(value, bool):
        raise ValueError(
            f"must be a number, not {str(value).lower()} (YAML reads yes and on as true, no and off as false)"
        )
    return value


def require_ordered[T: Section](section: T, low: str, high: str) -> T:
    """Return the section if the value of key ``low`` is at most that of key ``high``.

    Raises:
        ValueError: the value of ``low`` is above that of ``high``.
    """
    if getattr(section, high) < getattr(section, low):
        raise ValueError(f"{high} must be at least {low} ({getattr(section, low)}); got {getattr(section, high)}")
    return section


def _is_number(annotation: object) -> bool:
    return annotation in (int, float) or (
        isinstance(annotation, types.UnionType) and any(_is_number(one) for one in typing.get_args(annotation))
    )


def _texts_in(value: object, *, of_dict: bool) -> Iterator[str]:
    """Yield a text, or those of a list, or of a dictionary that is no section, which looks at its texts itself."""
    parts = value if isinstance(value, list) else [value]
    if of_dict and isinstance(value, dict):
        parts = [*value, *value.values()]
    yield from (part for part in parts if isinstance(part, str))


def _require_usable(text: str, *, may_hold_nul: bool) -> None:
    if "\0" in text and not may_hold_nul:
        raise ValueError("must not hold a NUL character")
    if not is_unicode(text):
        raise ValueError("must be valid Unicode text, without lone surrogates such as \\ud800")


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: whether it has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
