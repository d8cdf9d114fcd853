"""The numbers in the cells of a CSV file."""

import math

from peva_env.memory.importing.csv_file import Row, shortened
from peva_env.system import plain_number

_MISSING = frozenset(("", "-", "--", "n/a", "#n/a", "na", "<na>", "nan", "-nan", "null", "none", "nil"))
_MAX_INT32_DIGITS = 10
_MAX_INT32 = 2**31 - 1

MOST_BYTES = 2**53 - 1
"""Above it a float, as which a cell is read, may be another whole number than the cell's."""


def is_missing(cell: str) -> bool:
    """Tell whether a cell says that there is no value: it is empty, ``N/A``, ``-``, ``NULL`` and the like."""
    return cell.casefold() in _MISSING


def number(row: Row, column: str) -> float | None:
    """Return a cell's number, None if it is missing, or the column is.

    Raises:
        ValueError: it is not a number, negative, or not finite.
    """
    text = row.get(column, "")
    if is_missing(text):
        return None
    try:
        value = float(plain_number(text))
    except ValueError as error:
        raise ValueError(f"{shortened(column)} is {shortened(text)!r}, {error}") from error
    if 0 <= value < math.inf:
        return abs(value)  # -0.0 is 0
    raise ValueError(f"{shortened(column)} is {shortened(text)}, {'negative' if value < 0 else 'not finite'}")


def integer(row: Row, column: str) -> int | None:
    """Return a cell's whole number, likewise."""
    text = row.get(column, "")
    if text.isascii() and text.isdecimal() and len(text) < _MAX_INT32_DIGITS:
        return int(text)  # the usual case, and faster
    value = number(row, column)
    if value is None:
        return None
    if not value.is_integer() or value > _MAX_INT32:
        raise ValueError(f"{shortened(column)} is {shortened(row[column])}, not a whole number up to {_MAX_INT32}")
    return int(value)


def rounded(row: Row, column: str) -> int | None:
    """Return a cell's bytes as the nearest whole number, likewise."""
    value = number(row, column)
    if value is None:
        return None
    if value > MOST_BYTES:
        raise ValueError(f"{shortened(column)} is {shortened(row[column])}, more than {MOST_BYTES}")
    return round(value)
