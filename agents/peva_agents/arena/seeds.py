"""Seeds of training, validation and test episodes: each part has one remainder modulo 3, so no two share a seed."""

from typing import Literal

type Part = Literal["train", "validation", "test"]


PARTS: tuple[Part, ...] = ("train", "validation", "test")


def part_seeds(part: Part, n: int, first: int) -> list[int]:
    """Return ``n`` seeds of a part, beginning with its seed number ``first``."""
    return [3 * (first + i) + PARTS.index(part) for i in range(n)]
