"""Formatting of numbers, times, names and loads on a report's page."""

import math

from peva_env import console
from peva_env.console import duration_text
from peva_env.space import Config, config_text

type Entry = tuple[str, str]
"""A term and the text that a description list of the page shows for it."""


def count_text(n: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def span_text(seconds: float) -> str:
    """Return a duration in suitable units, ``-`` if it is not finite."""
    return duration_text(seconds) if math.isfinite(seconds) else "-"


def sentence_text(note: str) -> str:
    """Return a note as a sentence: a capital letter first, a full stop last unless it ends with an ellipsis."""
    return note[:1].upper() + (note[1:] if note.endswith("...") else f"{note[1:].rstrip('.')}.")


def confidence_text(confidence: float) -> str:
    """Return a confidence as the page writes it: ``97.2 %``, ``over 99.9 %``."""
    return console.confidence_text(confidence).replace("%", " %")


def unbroken(text: str) -> str:
    """Return a text in which no line ends between a number and its unit."""
    return text.replace(" %", "\u00a0%").replace(" ms", "\u00a0ms")


def isolated(name: str) -> str:
    """Return a name in Unicode isolates, so that right-to-left letters do not displace the number beside it.

    An ASCII name stays as it is, so that it can be copied and searched for.
    """
    return name if name.isascii() else f"\u2068{name}\u2069"


def load_text(config: Config) -> str:
    """Return a configuration as the page writes it: ``checkout 80 + fetch 40``."""
    return config_text(config, unit="", show_name=isolated)
