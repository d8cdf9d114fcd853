"""Text that is safe to print."""


def one_line(text: str) -> str:
    """Return text without line breaks and control characters, which could lead a terminal astray."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
