"""Whether two samples differ by more than chance: Student's test of two means, with a scatter pooled over many samples.

Source: Student, "The probable error of a mean", Biometrika 6 (1908). That samples of few values borrow the scatter of
many others, and of an assumption that counts like some values, is the moderated test of Smyth, "Linear models and
empirical Bayes methods", Statistical Applications in Genetics and Molecular Biology 3 (2004).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class PooledVariance:
    """How far values scatter around the means of their samples: squared deviations, and degrees of freedom."""

    squares: float = 0.0
    freedom: int = 0

    @classmethod
    def of(cls, samples: Iterable[Sequence[float]]) -> Self:
        """Return the scatter of some samples, pooled; a sample of one value adds nothing."""
        squares, freedom = 0.0, 0
        for values in filter(None, samples):
            mean = math.fsum(values) / len(values)
            squares += math.fsum((value - mean) ** 2 for value in values)
            freedom += len(values) - 1
        return cls(squares, freedom)

    @classmethod
    def assumed(cls, deviation: float, freedom: int) -> Self:
        """Return an assumed standard deviation that counts like so many degrees of freedom."""
        return cls(deviation**2 * freedom, freedom)

    def __add__(self, other: "PooledVariance") -> "PooledVariance":
        return PooledVariance(self.squares + other.squares, self.freedom + other.freedom)


def chance_of_fall(before: Sequence[float], after: Sequence[float], scatter: PooledVariance) -> float:
    """Return how likely the mean falls at least this far by chance, 0..1, if nothing has changed: a one-sided p-value.

    ``scatter`` is that of single values. Without any degree of freedom, or without values, the result is 1.
    """
    if not scatter.freedom or not before or not after:
        return 1.0
    fall = math.fsum(before) / len(before) - math.fsum(after) / len(after)
    error = math.sqrt(scatter.squares / scatter.freedom * (1 / len(before) + 1 / len(after)))
    if error == 0:
        return 0.0 if fall > 0 else 1.0
    return upper_tail(fall / error, scatter.freedom)


def upper_tail(t: float, freedom: int) -> float:
    """Return the probability that Student's t with so many degrees of freedom is above ``t``.

    Source: Zelen and Severo in Abramowitz and Stegun, "Handbook of mathematical functions" (1964), 26.7.3 and 26.7.4.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine if freedom % 2 else 1.0), 0.0
    for k in range(freedom % 2, freedom - 1, 2):  # powers of the cosine below the degrees of freedom
        total += term
        term *= cosine**2 * (k + 1) / (k + 2)
    inside = 2 / math.pi * (angle + sine * total) if freedom % 2 else sine * total
    tail = (1 - inside) / 2
    return tail if t >= 0 else 1 - tail
