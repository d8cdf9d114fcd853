"""Text that is safe to print."""


def one_line(text: str) -> str:
    """Return text without line breaks and control characters, which could confuse a terminal."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
