"""Text that is safe to print, and numbers and JSON from other programs and from users."""

import json
import re
from datetime import UTC, datetime
from typing import Any

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.ASCII | re.IGNORECASE)


_MAX_EXCEPTION = 1000
"""Characters of an exception that a message shows."""


def one_line(text: str) -> str:
    """Return text without line breaks and control characters, which could confuse a terminal."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def moment_text(seconds: float | None, timespec: str = "seconds") -> str:
    """Return a time since the epoch as people read it, in UTC; ``timespec`` is that of ``datetime.isoformat``."""
    if seconds is None:
        return "-"
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        return f"{moment.isoformat(' ', timespec)} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"  # not a date: a memory can hold any number


def failure_text(error: OSError) -> str:
    """Return what failed and why, without the number of the error."""
    why = error.strerror or str(error)
    return f"{error.filename}: {why}" if error.filename else why


def exception_text(error: BaseException) -> str:
    """Return an exception of a user's code as Python shows it, shortened, or its class where that fails."""
    try:
        said = repr(error)
    except Exception:  # noqa: BLE001 - the user's own, such as endless recursion
        return type(error).__name__
    return said if len(said) <= _MAX_EXCEPTION else f"{said[: _MAX_EXCEPTION - 1]}…"


def json_value(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def plain_number(text: str) -> str:
    """Return a text that is a number in ASCII digits without separators: Python's ``int`` and ``float`` take more.

    Raises:
        ValueError: it is none.
    """
    if _NUMBER.fullmatch(text):
        return text
    if not text.isascii() and any(map(str.isnumeric, text)):
        raise ValueError("not a number: only the digits 0 to 9 count")
    if re.fullmatch(r"[\d_,.' ]+", text, re.ASCII):
        raise ValueError("not a number: write it without separators, with a decimal point")
    raise ValueError("not a number")
