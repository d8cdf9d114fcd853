"""Percentages as text, for example ``5%``."""

import re
from typing import Annotated

from pydantic import AfterValidator

_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
_LEAST, _MOST = 0.5, 50.0


def percent_share(text: str) -> float:
    """Return the share that a percentage such as ``5%`` stands for, 0.05.

    Raises:
        ValueError: not a number and a percent sign, or not from 0.5% to 50%.
    """
    match = _PERCENT.fullmatch(text.strip())
    if not match or not _LEAST <= float(match[1]) <= _MOST:
        raise ValueError(f"must be a percentage from {_LEAST:g}% to {_MOST:g}%, for example 5%")
    return float(match[1]) / 100


def _require_percentage(text: str) -> str:
    percent_share(text)
    return text.strip()


Percentage = Annotated[str, AfterValidator(_require_percentage)]
"""The value of a key that is a percentage."""
