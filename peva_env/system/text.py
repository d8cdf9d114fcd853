"""Text that is safe to print."""

from datetime import UTC, datetime


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
