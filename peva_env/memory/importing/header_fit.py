"""How the lines of a CSV file fit its header: other headers, shifted cells, and empty cells at the ends of lines."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from peva_env.memory.importing.number_marks import is_number

_NAMES_OF_HEADER = 2
"""A line of so many column names, and fewer numbers than names, is a header."""

_BOM = "\ufeff"
"""Joined files may each begin with it."""

_BETWEEN_WORDS = re.compile(r"""[,;\t|"'`\[\]\0]""")
_BETWEEN_ANY_WORDS = re.compile(r"""[\s:,;|"'`\[\]\0]""")
_MARKED = re.compile(r"['`\[]")


class Line(NamedTuple):
    """A line that is not blank: its number in the file, its cells, and why it cannot be read, if it cannot."""

    number: int
    cells: list[str]
    problem: str | None = None


def count_own(lines: Sequence[Line], texts: Sequence[str]) -> int:
    """Return the number of lines above another header, that of the file's own columns among them.

    It may be damaged, separated otherwise, or have its names in quotes or brackets: of a line without several cells,
    the words of its text count, and of one with too few cells or with such marks, if they are more than its numbers.
    """
    own = without_last_empty(lines[0].cells, 0) if lines else []
    names = {column for column in own if column and not is_number(column)}
    for index, line in enumerate(lines[1:], 1):
        if len(line.cells) < _NAMES_OF_HEADER:
            if len(names.intersection(_words(texts[index]))) >= _NAMES_OF_HEADER or _are_names(texts[index], names):
                return index
            continue
        if not names.isdisjoint(line.cells):  # the usual line has no such cell
            cells = without_last_empty([cell.removeprefix(_BOM) for cell in line.cells], 0)
            joined = cells[len(own) :]  # to a last line without a newline, which took the first of its cells
            if _is_other_header(cells, own, names) or _is_other_header(joined, own[1:], names):
                return index
        is_odd = len(line.cells) < len(own) or _MARKED.search(texts[index])
        if is_odd and (_is_other_header(_words(texts[index]), own, names) or _are_names(texts[index], names)):
            return index
    return len(lines)


def _words(text: str, between: re.Pattern[str] = _BETWEEN_WORDS) -> list[str]:
    words = (word.strip().removeprefix(_BOM) for word in between.split(text))
    return list(filter(None, words))


def _are_names(text: str, names: set[str]) -> bool:
    """Tell whether several column names are most words of a text, of which blanks and colons are separators, too."""
    words = _words(text, _BETWEEN_ANY_WORDS)
    n_names = len(names.intersection(words))
    return n_names >= _NAMES_OF_HEADER and 2 * n_names > len(words)


def _is_other_header(cells: Sequence[str], own: Sequence[str], names: Collection[str]) -> bool:
    n_names = len(set(cells).intersection(names))
    if cells == own or n_names < _NAMES_OF_HEADER:
        return False
    return n_names > sum(is_number(cell) and cell not in own for cell in cells)


def is_repeated(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether a line has the cells of the header, but for the empty ones at the end, and a byte order mark."""
    if not cells or not header or cells[0].removeprefix(_BOM) != header[0]:  # as the usual line
        return False
    return without_last_empty(list(cells[1:]), 0) == without_last_empty(list(header[1:]), 0)


def of_other_header(lines: Sequence[Line]) -> list[Line]:
    """Return another header and the lines below it, each with a problem."""
    return [
        line._replace(
            problem=f"line {lines[0].number} holds names of columns, as another header does: the lines from there on "
            "may have other columns; import that part as a file of its own, or complete that line if it was cut, or "
            "rename the columns if it is a row"
        )
        for line in lines
    ]


def fitted(lines: Sequence[Line], header: Line) -> list[Line]:
    """Return lines without the empty cells beyond the header's columns, which separators at their ends made.

    A line with more cells than the header or another whole line has may be shifted, though its last ones are empty: by
    a separator within a value, or by row numbers without a name, before an empty last column. So may each line where
    another one has a value beyond the header's columns, which then lacks a column. Such a line gets a problem.
    """
    n_columns = len(without_last_empty(header.cells, 0))
    lacks_column = any(any(line.cells[n_columns:]) for line in lines)
    whole = (len(line.cells) for line in lines if len(line.cells) >= n_columns and any(line.cells))
    n_least = min([len(header.cells), *whole])

    def fit(line: Line) -> Line:
        n_cells = len(line.cells)
        if n_cells <= n_columns or any(line.cells[n_columns:]):
            return line
        if lacks_column:
            why = "and another line has a value beyond the header's columns: the cells may be shifted"
        elif n_cells > n_least and any(line.cells):
            why = (
                "and the last is empty: a separator in a value, or row numbers without a name, may have shifted them; "
                "if not, end the header and all lines with as many separators"
            )
        else:
            return line._replace(cells=line.cells[:n_columns])
        return line._replace(problem=line.problem or f"{n_cells} cells instead of {n_columns}, {why}")

    return [fit(line) for line in lines]


def without_last_empty(cells: list[str], n_columns: int) -> list[str]:
    """Return a line without the empty cells beyond its last column."""
    n = len(cells)
    while n > n_columns and not cells[n - 1]:
        n -= 1
    return cells[:n]
