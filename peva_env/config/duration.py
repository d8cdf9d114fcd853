"""Durations as text, for example ``30s``."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from peva_env.config.section import LONGEST_S

_WANTED = "must be a number and a unit (ms, s, m, h), for example 30s"
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def duration_seconds(text: str) -> float:
    """Return the seconds in a duration such as ``500ms``, ``30s``, ``2m`` or ``1h``.

    Raises:
        ValueError: not a number with one of these units, not more than zero, or more than a year.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(_WANTED)
    seconds = float(match[1]) * _SECONDS_PER_UNIT[match[2]]
    if seconds <= 0:
        raise ValueError("must be longer than zero, for example 30s")
    if seconds > LONGEST_S:
        raise ValueError(f"must be at most {LONGEST_S / _SECONDS_PER_UNIT['h']:.0f}h")
    return seconds


def _require_text(value: object) -> object:
    if not isinstance(value, str):  # 30, or 1:30, which YAML reads as 90
        raise ValueError(_WANTED)
    return value


def _require_duration(text: str) -> str:
    duration_seconds(text)
    return text.strip()


Duration = Annotated[str, BeforeValidator(_require_text), AfterValidator(_require_duration)]
"""The value of a key that is a duration."""
