"""Text that is safe to print."""

from datetime import UTC, datetime


def one_line(text: str) -> str:
    """Return text without line breaks and control characters, which could confuse a terminal."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def moment_text(seconds: float | None) -> str:
    """Return a time since the epoch as people read it, in UTC."""
    if seconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"  # not a date: a memory can hold any number
