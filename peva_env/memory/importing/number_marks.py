"""The points and commas in the numbers of a file: which are decimal marks, and which may separate thousands."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(?:,\d{2,3})*,(?:\d{2,3},\d{3}|\d{3}\.\d*(?:[eE][+-]?\d+)?)", re.ASCII)
"""A number with several marks, of which the commas separate thousands, also in groups of two digits as in India."""

_POINT_GROUPS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+|\.\d{3})", re.ASCII)
"""A number with several marks, of which the points separate thousands."""

_NUMBER = re.compile(r"[+-]?[.,]?\d[\d.,]*(?:[eE][+-]?\d+)?", re.ASCII)

_THOUSANDS = re.compile(r"([+-]?[1-9]\d{0,2})[.,](\d{3})", re.ASCII)
"""A number whose point or comma may separate thousands."""


class NumberMarks(NamedTuple):
    """The marks in the numbers of a file.

    ``decimal`` is the decimal mark. ``may_have_thousands`` tells that a comma or point in the file's whole numbers may
    separate thousands, ``are_mixed`` that it has decimal commas and points, so that this holds for all numbers.
    """

    decimal: str = "."
    may_have_thousands: bool = False
    are_mixed: bool = False


def number_marks(cells: set[str], *, is_comma_separated: bool) -> NumberMarks:
    """Return the marks in a file's numbers.

    The decimal mark is a comma if there are numbers with one, and none with a point, or with a comma before another
    mark, such as ``1,234.5``, and if no comma separates the cells. Thousands are out of the question only where no
    number has a comma, and one has a point that separates none, such as ``0.95``; or where commas separate the cells.
    The marks are mixed where there are points and what shows decimal commas, such as ``12,5``, or where nothing shows
    which of the two is the decimal mark.
    """
    commas, points = set(filter(_DECIMAL_COMMA.fullmatch, cells)), set(filter(_DECIMAL_POINT.fullmatch, cells))
    shows_comma = not all(map(_THOUSANDS.fullmatch, commas)) or any(map(_POINT_GROUPS.fullmatch, cells))
    shows_point = is_comma_separated or not all(map(_THOUSANDS.fullmatch, points))
    are_mixed = bool(points) and (shows_comma or (bool(commas) and not shows_point))
    if is_comma_separated:
        return NumberMarks(are_mixed=are_mixed)
    is_comma = commas and not points and not any(map(_COMMA_GROUPS.fullmatch, cells))
    return NumberMarks("," if is_comma else ".", bool(commas) or not shows_point, are_mixed)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, whatever the marks in it."""
    return _NUMBER.fullmatch(cell) is not None


def with_point(cell: str) -> str:
    """Return a cell with a point as its decimal mark, if it is a number with a decimal comma."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def have_commas(cells: Iterable[str]) -> bool:
    """Tell whether any number has a decimal comma, or thousands separated by points."""
    return any(_DECIMAL_COMMA.fullmatch(cell) or _POINT_GROUPS.fullmatch(cell) for cell in cells)


def thousands_problem(cell: str, decimal_mark: str) -> str | None:
    """Return why a number is not clear, and what to write, if it may have thousands; else None.

    Args:
        cell: the number, with a point as its decimal mark.
        decimal_mark: the one of the file.
    """
    found = _THOUSANDS.fullmatch(cell)
    if not found:
        return None
    above, below = found.groups()
    said, whole, exact = cell.replace(".", decimal_mark), above + below, f"{above}{decimal_mark}{below}0"
    return f"is {said!r}, which could be {whole} or {float(f'{above}.{below}'):g}: write {whole} or {exact}"
