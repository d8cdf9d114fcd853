"""How numbers, times, names and loads are written on a report's page."""

import math
from datetime import UTC, datetime

from peva_env.console import duration_text
from peva_env.space import Config


def count_text(n: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def span_text(seconds: float) -> str:
    """Return seconds in the units that matter; a memory can hold what is no number."""
    return duration_text(seconds) if math.isfinite(seconds) else "-"


def sentence_text(note: str) -> str:
    """Return a note, which begins and ends like a line of a terminal, as a sentence; what is left out stays so."""
    return note[:1].upper() + (note[1:] if note.endswith("...") else f"{note[1:].rstrip('.')}.")


def isolated(name: str) -> str:
    """Return a name so that letters written from the right do not carry away the number beside it.

    A name in ASCII has none, and stays as it is: it can be copied and searched for.
    """
    return name if name.isascii() else f"\u2068{name}\u2069"


def load_text(config: Config) -> str:
    """Return a configuration as the page writes it: ``checkout 80 + fetch 40``."""
    return " + ".join(f"{isolated(name)} {rate}" for name, rate in config)


def moment_text(seconds: float | None) -> str:
    """Return a time since the epoch as people read it, in UTC."""
    if seconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"  # not a time of our calendar: a memory can hold anything
