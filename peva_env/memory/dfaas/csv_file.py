"""CSV files of DFaaS and PEVA-FAAS: their columns, their lines by number, and the numbers in their cells."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from peva_env.errors import MemoryStoreError

type Row = Mapping[str, str]
"""A line's cells by column."""

_INT32_DIGITS = 10
_MAX_INT32, _MAX_INT64 = 2**31 - 1, 2**63 - 1


class Refusal(NamedTuple):
    """A line of a file that was not imported, and why."""

    path: Path
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file: its columns, and its functions in sorted order."""

    path: Path
    header: list[str]
    functions: list[str]

    @property
    def is_results(self) -> bool:
        """Whether it has columns other than the names and rates of functions."""
        return any(not column.startswith(("function_", "rate_function_")) for column in self.header)

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the lines below the header: number, cells.

        Raises:
            MemoryStoreError: the file cannot be read.
        """
        return islice(_lines(self.path), 1, None)


def read_header(path: Path) -> CsvFile:
    """Read the header of a file.

    Raises:
        MemoryStoreError: the file cannot be read.
    """
    _, header = next(_lines(path), (1, []))
    names = sorted(column.removeprefix("function_") for column in header if column.startswith("function_"))
    return CsvFile(path, header, names)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        # Half a character at the end of a truncated file makes one refused cell, not an unreadable file.
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except OSError as error:
        raise MemoryStoreError(f"{path}: cannot be read: {error.strerror}") from error
    except csv.Error as error:
        raise MemoryStoreError(f"{path}: is not a CSV file: {error}") from error


def problem_of(file: CsvFile, per_function: Sequence[str], of_node: Sequence[str] = ()) -> str | None:
    """Return why no line of a file can be read: a column is missing or repeated; None if all is well."""
    if not file.functions:
        return "there is no column function_X"
    twice = [column for column in file.header if file.header.count(column) > 1]
    if twice:
        return f"column {twice[0]} is there twice"
    wanted = [f"{column}_{name}" for name in file.functions for column in per_function]
    missing = [column for column in (*wanted, *of_node) if column not in file.header]
    return f"column {missing[0]} is missing" if missing else None


def read_lines[T](file: CsvFile, problem: str | None, read: Callable[[Row], T]) -> Iterator[tuple[int, T | Refusal]]:
    """Yield each line's number with the result of ``read``, or a refusal with the ``ValueError`` that it raises.

    Args:
        file: the lines.
        problem: why no line can be read, or None.
        read: parses a line's cells.
    """
    if problem:
        yield 1, Refusal(file.path, 1, problem)
    n_columns = len(file.header)
    for line, cells in file.lines():
        try:
            if problem or len(cells) != n_columns:
                raise ValueError(problem or f"{len(cells)} cells instead of {n_columns}")
            yield line, read(dict(zip(file.header, cells, strict=True)))
        except ValueError as error:
            yield line, Refusal(file.path, line, str(error))


def number(row: Row, column: str) -> float | None:
    """Return a cell's number, None if it is empty or NaN, or the column is missing.

    Raises:
        ValueError: it is not a number, negative, or not finite.
    """
    text = row.get(column, "")
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is {text!r}, not a number") from None
    if 0 <= value < math.inf:
        return value
    if math.isnan(value):
        return None
    raise ValueError(f"{column} is {text}, {'negative' if value < 0 else 'not finite'}")


def integer(row: Row, column: str) -> int | None:
    """Return a cell's whole number, likewise."""
    text = row.get(column, "")
    if text.isdecimal() and len(text) < _INT32_DIGITS:
        return int(text)  # the usual case, and faster
    value = number(row, column)
    if value is None:
        return None
    if not value.is_integer() or value > _MAX_INT32:
        raise ValueError(f"{column} is {row[column]}, not a whole number up to {_MAX_INT32}")
    return int(value)


def rounded(row: Row, column: str) -> int | None:
    """Return a cell's number as the nearest whole one, likewise."""
    value = number(row, column)
    if value is None:
        return None
    if value >= _MAX_INT64:
        raise ValueError(f"{column} is {row[column]}, more than {_MAX_INT64}")
    return round(value)
