"""Files that are whole at any moment."""

from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that it is always whole."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)
