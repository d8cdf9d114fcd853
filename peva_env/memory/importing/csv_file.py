"""CSV files from anywhere: their separators and decimal commas, and their lines by number. A record is one line."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple

from peva_env.memory.importing.source import STDIN, read_source

type Row = Mapping[str, str]
"""A line's cells by column."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MAX_SHOWN = 60
"""Characters of a value, or of a column's name, that a message shows."""

_ROWS_COUNTED = 2
"""From so many lines on, first cells that count them may be row numbers."""

_NEWLINE = re.compile(r"\r\n|\n|\r")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(?:,\d{3}){2,}", re.ASCII)
_POINT_GROUPS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+|\.\d{3})", re.ASCII)
"""A number with several marks, of which the points separate thousands."""

_THOUSANDS = re.compile(r"([+-]?[1-9]\d{0,2})[.,](\d{3})", re.ASCII)
"""A number whose point or comma may separate thousands."""


def shortened(text: str) -> str:
    """Return a text of a file as far as a message shows it."""
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


class Refusal(NamedTuple):
    """A line of a file that was not imported, and why."""

    path: Path
    line: int
    reason: str


class Line(NamedTuple):
    """A line that is not blank: its number in the file, its cells, and why it cannot be read, if it cannot."""

    number: int
    cells: list[str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file: its header, the lines below it, and what was found in it.

    ``digest`` identifies the cells, whatever the encoding and the separators. ``header`` is without cells if it cannot
    be read, and line 0 if the file is empty. ``decimal_mark`` is the one of the file; in the cells it is a point.
    ``may_have_thousands`` tells that a comma or point in the file's whole numbers may separate thousands,
    ``mixes_marks`` that it has decimal commas and points, so that this holds for all numbers.
    """

    path: Path
    header: Line
    lines: tuple[Line, ...]
    found: tuple[str, ...]
    digest: str
    changed_at: float
    is_stream: bool
    decimal_mark: str
    may_have_thousands: bool
    mixes_marks: bool

    @property
    def stem(self) -> str:
        """The name without ``.csv`` and ``.gz``."""
        return Path(self.path.name.removesuffix(".gz")).stem

    def problem(self, columns: Iterable[str], *, optional: Iterable[str] = ()) -> str | None:
        """Return why no line can be read: the header is damaged, or a column is missing or repeated; else None.

        Args:
            columns: that every line needs.
            optional: columns that may be missing, but not be repeated.
        """
        if self.header.problem:
            return f"the header cannot be read: {self.header.problem}"
        counts, needed = self.column_counts(), list(columns)
        for column in (*needed, *optional):
            if counts[column] > 1:
                return f"column {shortened(column)} is there twice"
        missing = next((column for column in needed if not counts[column]), None)
        return None if missing is None else f"column {shortened(missing)} is missing"

    def column_counts(self) -> Counter[str]:
        """Return how often each column is in the header."""
        return Counter(self.header.cells)

    def read[T](
        self,
        problem: str | None,
        parse: Callable[[Row], T],
        *,
        whole: Collection[str] = (),
        numeric: Collection[str] = (),
    ) -> Iterator[tuple[int, T | Refusal]]:
        """Yield each line's number with the result of ``parse``, or a refusal with the ``ValueError`` that it raises.

        Args:
            problem: why no line can be read, or None.
            parse: parses a line's cells.
            whole: columns of whole numbers: a line is refused where one of them may have thousands, such as ``1,000``;
                in other columns that is a number with three decimals.
            numeric: all columns of numbers: they are the ones where the file has both decimal commas and points, and
                there is a number with a comma in one of them.
        """
        if problem and self.header.number:
            yield self.header.number, Refusal(self.path, self.header.number, problem)
        n_columns = len(self.header.cells)
        of_thousands = whole if self.may_have_thousands else ()
        if self.mixes_marks and self._have_commas(numeric):
            of_thousands = numeric
        for number, cells, damage in self.lines:
            try:
                if problem or damage:
                    raise ValueError(problem or damage)
                if len(cells) != n_columns:
                    raise ValueError(f"{len(cells)} cells instead of {n_columns}")
                row = dict(zip(self.header.cells, cells, strict=True))
                self._refuse_thousands(row, of_thousands)
                yield number, parse(row)
            except ValueError as error:
                yield number, Refusal(self.path, number, str(error))

    def _have_commas(self, columns: Collection[str]) -> bool:
        """Tell whether any number of these columns has a comma, or thousands separated by points."""
        at = [index for index, column in enumerate(self.header.cells) if column in columns]
        cells = {line.cells[index] for line in self.lines for index in at if index < len(line.cells)}
        return any(_DECIMAL_COMMA.fullmatch(cell) or _POINT_GROUPS.fullmatch(cell) for cell in cells)

    def _refuse_thousands(self, row: Row, columns: Iterable[str]) -> None:
        """Raise ``ValueError`` if a number of one of these columns may have thousands."""
        for column in columns:
            if found := _THOUSANDS.fullmatch(row.get(column, "")):
                above, below = found.groups()
                said = found[0].replace(".", self.decimal_mark)
                raise ValueError(
                    f"{shortened(column)} is {said!r}, which could be {above}{below} or {float(f'{above}.{below}'):g}: "
                    f"write {above}{below} or {above}{self.decimal_mark}{below}0"
                )


def unique_paths(paths: Iterable[str | Path]) -> list[Path]:
    """Return each file once, sorted; files by their resolved path, pipes and what is missing by the given one."""
    given = (Path(path) for path in paths)
    return sorted({path.resolve() if path != STDIN and path.is_file() else path for path in given})


def read_csv(path: Path) -> CsvFile:
    """Read a CSV file, or a pipe, or the standard input (``-``).

    Raises:
        MemoryStoreError: the file cannot be read, is damaged, or is an archive.
    """
    source = read_source(path)
    texts = list(dropwhile(lambda line: not line[1].strip(), enumerate(_NEWLINE.split(source.text), 1)))
    separator = _separator(texts[0][1] if texts else "")
    lines = [_line(number, text, separator) for number, text in texts if text.strip() or separator in text]
    found = [*source.found, _SEPARATORS[separator]] if lines else ["empty file"]
    has_no_commas = separator == "," and '"' not in source.text
    marks = _Marks() if has_no_commas else _number_marks(lines, is_comma_separated=separator == ",")
    if marks.decimal == ",":
        lines = [line._replace(cells=list(map(_with_point, line.cells))) for line in lines]
        found.append("decimal commas")
    header = lines[0] if lines else Line(0, [], "the file is empty")
    ends_with_separator = header.cells[-1:] == [""]
    header = header._replace(cells=_without_last_empty(header.cells, 0))
    below = _fitted(lines[1:], len(header.cells))
    if not ends_with_separator:
        below = _without_row_numbers(below, lines[1:])
    if any(len(short.cells) < len(long.cells) for short, long in zip((header, *below), lines, strict=False)):
        found.append("trailing separators")
    if lines and not below:
        found.append("header only")
    digest = _digest((header, *below))
    return CsvFile(
        path=path,
        header=header,
        lines=tuple(below),
        found=tuple(found),
        digest=digest,
        changed_at=source.changed_at,
        is_stream=source.is_stream,
        decimal_mark=marks.decimal,
        may_have_thousands=marks.may_have_thousands,
        mixes_marks=marks.are_mixed,
    )


def _line(number: int, text: str, separator: str) -> Line:
    if "\0" in text:
        return Line(number, [], "holds NUL characters, which no text has: the file is damaged")
    if text.count('"') % 2:
        return Line(number, [], "a quote is not closed on this line")
    try:
        return Line(number, _cells(text, separator))
    except csv.Error as error:
        return Line(number, [], f"is not CSV: {error}")


def _cells(text: str, separator: str) -> list[str]:
    if '"' not in text:
        return [cell.strip() for cell in text.split(separator)]
    (cells,) = csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True)
    return [cell.strip() for cell in cells]


def _separator(header: str) -> str:
    """Return the separator that splits a header into the most columns; a comma if none does."""
    return max(_SEPARATORS, key=lambda separator: len(_line(1, header, separator).cells))


class _Marks(NamedTuple):
    """Of a file's numbers: see ``CsvFile``."""

    decimal: str = "."
    may_have_thousands: bool = False
    are_mixed: bool = False


def _number_marks(lines: Iterable[Line], *, is_comma_separated: bool) -> _Marks:
    """Return the marks in a file's numbers.

    The decimal mark is a comma if there are numbers with one, and none with a point, or with several commas, and if no
    comma separates the cells. Thousands are out of the question only where no number has a comma, and one has a point
    that separates none, such as ``0.95``; or where commas separate the cells. The marks are mixed where there are
    points and what shows decimal commas, such as ``12,5``, or where nothing shows which of the two is the decimal mark.
    """
    cells = {cell for line in lines for cell in line.cells}
    commas, points = set(filter(_DECIMAL_COMMA.fullmatch, cells)), set(filter(_DECIMAL_POINT.fullmatch, cells))
    shows_comma = not all(map(_THOUSANDS.fullmatch, commas)) or any(map(_POINT_GROUPS.fullmatch, cells))
    shows_point = is_comma_separated or not all(map(_THOUSANDS.fullmatch, points))
    are_mixed = bool(points) and (shows_comma or (bool(commas) and not shows_point))
    if is_comma_separated:
        return _Marks(are_mixed=are_mixed)
    is_comma = commas and not points and not any(map(_COMMA_GROUPS.fullmatch, cells))
    return _Marks("," if is_comma else ".", bool(commas) or not shows_point, are_mixed)


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _fitted(lines: Sequence[Line], n_columns: int) -> list[Line]:
    """Return lines without the empty cells beyond the header's columns, which separators at their ends made.

    Where any line has a value there, the header lacks a column, such as that of row numbers: a line that only fits
    without its last cell is shifted, and gets a problem.
    """
    if not any(any(line.cells[n_columns:]) for line in lines):
        return [line._replace(cells=_without_last_empty(line.cells, n_columns)) for line in lines]
    return [
        line
        if len(line.cells) <= n_columns or any(line.cells[n_columns:])
        else line._replace(
            problem=f"{len(line.cells)} cells instead of {n_columns}, and another line has a value beyond the header's "
            "columns: the cells may be shifted"
        )
        for line in lines
    ]


def _without_row_numbers(fitted: list[Line], lines: Sequence[Line]) -> list[Line]:
    """Return the fitted lines of a header that does not end with a separator, as each line does.

    Where the first cells are 1, 2, 3 and so on, the separator at the end may stand before an empty last column, and the
    header may lack the column of row numbers: each line gets a problem.
    """
    firsts = [line.cells[0] if line.cells else "" for line in lines]
    counted = [[str(number) for number in range(first, first + len(lines))] for first in (0, 1)]
    if len(lines) < _ROWS_COUNTED or firsts not in counted:
        return fitted
    if any(len(short.cells) == len(long.cells) for short, long in zip(fitted, lines, strict=True)):
        return fitted
    problem = (
        "the first cells count the lines, which all end with a separator and the header does not: the cells may be "
        "shifted; name the first column, or end the header with a separator, too"
    )
    return [line._replace(problem=line.problem or problem) for line in fitted]


def _without_last_empty(cells: list[str], n_columns: int) -> list[str]:
    """Return a line without the empty cells beyond its last column."""
    n = len(cells)
    while n > n_columns and not cells[n - 1]:
        n -= 1
    return cells[:n]


def _digest(lines: Iterable[Line]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update("\x1f".join((*line.cells, line.problem or "", "\n")).encode(errors="replace"))
    return digest.hexdigest()
