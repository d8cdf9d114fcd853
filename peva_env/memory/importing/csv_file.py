"""CSV files from anywhere: their separators and decimal commas, and their lines by number. A record is one line."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from peva_env.memory.importing.header_fit import (
    Line,
    count_own,
    fitted,
    is_repeated,
    of_other_header,
    without_last_empty,
)
from peva_env.memory.importing.number_marks import (
    NumberMarks,
    have_commas,
    number_marks,
    thousands_problem,
    with_point,
)
from peva_env.memory.importing.source import STDIN, read_source

type Row = Mapping[str, str]
"""A line's cells by column."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MAX_SHOWN = 60
"""Characters of a value, or of a column's name, that a message shows."""

_DESCRIPTORS = ("/dev/fd", "/dev/stdin", "/proc")

_TOLD_SEPARATOR = re.compile(r'"?sep=[,;\t|]?"?\s*', re.IGNORECASE)
"""A first line that tells Excel the separator."""

_NEWLINE = re.compile(r"\r\n|\n|\r")


def shortened(text: str) -> str:
    """Return a text of a file as far as a message shows it."""
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def plain_column(column: str) -> str:
    """Return the letters and digits of a column's name, in lower case, whatever the Unicode forms of its characters."""
    return "".join(filter(str.isalnum, normalize("NFKC", column).casefold()))


class Refusal(NamedTuple):
    """A line of a file that was not imported, and why."""

    path: Path
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file: its header, the lines below it, and what was found in it.

    ``digest`` identifies what is read, whatever the encoding and the separators. ``header`` is without cells if it
    cannot be read, and line 0 if the file is empty. ``marks`` are those of the file; numbers in the rows that are read
    have a decimal point.
    """

    path: Path
    header: Line
    lines: tuple[Line, ...]
    found: tuple[str, ...]
    digest: str
    changed_at: float
    is_stream: bool
    marks: NumberMarks

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
        return None if missing is None else self.missing(missing)

    def missing(self, column: str) -> str:
        """Return that a column is missing, and which one that is there may be meant."""
        there = self.like(column)
        but = "" if there is None else f", but {shortened(there)!r} is there: rename it"
        return f"column {shortened(column)} is missing{but}"

    def like(self, column: str) -> str | None:
        """Return a column that has the letters and digits of another name."""
        plain = plain_column(column)
        return next((cell for cell in self.header.cells if plain and plain_column(cell) == plain), None)

    def column_counts(self) -> Counter[str]:
        """Return how often each column is in the header."""
        return Counter(self.header.cells)

    def read[T](
        self,
        problem: str | None,
        parse: Callable[[Row], T],
        *,
        whole: Collection[str] = (),
        numeric: Collection[str] | None = None,
    ) -> Iterator[tuple[int, T | Refusal]]:
        """Yield each line's number with the result of ``parse``, or a refusal with the ``ValueError`` that it raises.

        Args:
            problem: why no line can be read, or None.
            parse: parses a line's cells.
            whole: columns of whole numbers: a line is refused where one of them may have thousands, such as ``1,000``;
                in other columns that is a number with three decimals.
            numeric: all columns of numbers, every column where None: cells of others stay as they are written. They are
                the columns of thousands where the file has both decimal commas and points, and there is a number with
                a comma in one of them.
        """
        if problem and self.header.number:
            yield self.header.number, Refusal(self.path, self.header.number, problem)
        n_columns = len(self.header.cells)
        of_thousands = whole if self.marks.may_have_thousands else ()
        if self.marks.are_mixed and have_commas(self._cells(numeric or ())):
            of_thousands = numeric or ()
        columns = self.header.cells
        with_commas = set(columns if numeric is None else numeric) if self.marks.decimal == "," else ()
        for number, cells, damage in self.lines:
            try:
                if problem or damage:
                    raise ValueError(problem or damage)
                if is_repeated(cells, columns):
                    raise ValueError("it is the header once more")
                if len(cells) != n_columns:
                    raise ValueError(f"{len(cells)} cells instead of {n_columns}")
                row = dict(zip(columns, cells, strict=True))
                if with_commas:
                    row |= {column: with_point(row[column]) for column in with_commas if column in row}
                for column in of_thousands:
                    if unclear := thousands_problem(row.get(column, ""), self.marks.decimal):
                        raise ValueError(f"{shortened(column)} {unclear}")
                yield number, parse(row)
            except ValueError as error:
                yield number, Refusal(self.path, number, str(error))

    def _cells(self, columns: Collection[str]) -> set[str]:
        """Return the cells of these columns."""
        at = [index for index, column in enumerate(self.header.cells) if column in columns]
        return {line.cells[index] for line in self.lines for index in at if index < len(line.cells)}


def unique_paths(paths: Iterable[str | Path]) -> list[Path]:
    """Return each file once, sorted, by the path that was given: its own rather than one of links to it.

    Pipes, and what is missing, are returned as they were given.
    """
    given = set(map(Path, paths))
    files = {path for path in given if path != STDIN and path.is_file()}
    named: dict[Path, Path] = {}
    for path in sorted(map(_absolute, files), key=lambda path: (path != path.resolve(), path)):
        named.setdefault(path.resolve(), path)
    return sorted({*named.values(), *(given - files)})


def _absolute(path: Path) -> Path:
    """Return a file's path from the root. A descriptor, such as ``/dev/stdin``, is a link without a name of its own."""
    absolute = path.absolute()
    if any(map(absolute.is_relative_to, _DESCRIPTORS)):
        return path.resolve()
    return path.parent.resolve() / path.name if ".." in path.parts else absolute


def read_csv(path: Path) -> CsvFile:
    """Read a CSV file, or a pipe, or the standard input (``-``).

    Raises:
        MemoryStoreError: the file cannot be read, is damaged, or is of another kind.
    """
    source = read_source(path)
    texts = list(dropwhile(lambda line: not line[1].strip(), enumerate(_NEWLINE.split(source.text), 1)))
    if texts and _TOLD_SEPARATOR.fullmatch(texts[0][1]):
        del texts[0]  # the lines below it tell as much
    separator = _separator(list(islice((text for _, text in texts if text.strip()), 2)))
    texts = [(number, text) for number, text in texts if text.strip() or separator in text]
    lines = [_line(number, text, separator) for number, text in texts]
    found = [*source.found, _SEPARATORS[separator]] if lines else ["empty file"]
    n_own = count_own(lines, [text for _, text in texts])
    is_comma_separated = separator == ","
    have_no_marks = is_comma_separated and '"' not in source.text
    own = [index for index, line in enumerate(lines[:n_own]) if index and not is_repeated(line.cells, lines[0].cells)]
    cells = set() if have_no_marks else {cell for index in own for cell in lines[index].cells}
    marks = number_marks(cells, is_comma_separated=is_comma_separated)
    if marks.decimal == ",":
        found.append("decimal commas")
    header = lines[0] if lines else Line(0, [], "the file is empty")
    below = fitted(lines[1:n_own], header)
    header = header._replace(cells=without_last_empty(header.cells, 0))
    if any(len(short.cells) < len(long.cells) for short, long in zip((header, *below), lines, strict=False)):
        found.append("trailing separators")
    below += of_other_header(lines[n_own:])
    if lines and not below:
        found.append("header only")
    digest = _digest((header, *below), marks)
    return CsvFile(
        path=path,
        header=header,
        lines=tuple(below),
        found=tuple(found),
        digest=digest,
        changed_at=source.changed_at,
        is_stream=source.is_stream,
        marks=marks,
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
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # of the whole process, so it only grows
    (cells,) = csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True)
    return [cell.strip() for cell in cells]


def _separator(texts: Sequence[str]) -> str:
    """Return the separator that splits the header and the line below it into the same columns, the most of them.

    If none does, that line tells nothing: return the one that splits the header into the most; a comma if none does.
    """

    def n_columns(separator: str) -> tuple[int, int]:
        cells = [_line(1, text, separator).cells for text in texts]
        n_common = min(map(len, cells), default=0)
        fits = n_common > 1 and not any(any(line[n_common:]) for line in cells)
        return n_common if fits else 0, len(cells[0]) if cells else 0

    return max(_SEPARATORS, key=n_columns)


def _digest(lines: Iterable[Line], marks: NumberMarks) -> str:
    digest = hashlib.sha256()
    if marks != NumberMarks():  # the same cells may be read otherwise
        digest.update(repr(marks).encode())
    for line in lines:
        digest.update("\x1f".join((*line.cells, line.problem or "", "\n")).encode(errors="surrogatepass"))
    return digest.hexdigest()
