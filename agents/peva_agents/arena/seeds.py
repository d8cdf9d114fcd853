"""Seeds of episodes to learn on, to choose on and to test on: remainders modulo 3, so that none is in two parts."""

from typing import Literal

type Part = Literal["train", "validation", "test"]


PARTS: tuple[Part, ...] = ("train", "validation", "test")


def part_seeds(part: Part, n: int, first: int) -> list[int]:
    """Return ``n`` seeds of a part, from its ``first``: of another remainder modulo 3 than those of the other parts."""
    return [3 * (first + i) + PARTS.index(part) for i in range(n)]
