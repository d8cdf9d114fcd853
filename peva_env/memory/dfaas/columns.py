"""The columns of ``results.csv`` and ``skipped.csv`` of DFaaS and PEVA-FAAS, and what is wrong with those of a file.

For each function X of a plan there are the columns ``function_X`` (its name, empty where it was absent) and
``rate_function_X``, and in results ``success_rate_function_X`` and more. The order of columns does not matter. Unknown
columns are ignored; but a file with a function's columns written otherwise, such as ``Function X`` and
``x.rate.function.X``, is refused.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from unicodedata import normalize

from peva_env.config import OverloadConfig, require_function_name
from peva_env.memory.importing import CsvFile, kind_in_name, plain_column, shortened

_FUNCTION, RATE, LATENCY = "function_", "rate_function_", "medium_latency_function_"
_NEEDED = ("function", "rate_function", "success_rate_function")
_NAME_IN = {
    column: re.compile(rf"{r'[\W_]*'.join((*column.replace('_', ''), ''))}(.*[^\W_])", re.IGNORECASE | re.DOTALL)
    for column in _NEEDED
}
"""The function's name in a column that is like one that a function needs."""

_OF_FUNCTION = (
    "cpu_usage_function",
    "ram_usage_function",
    "power_usage_function",
    "replica",
    "medium_latency_function",
)
_OF_NODE = (
    *("cpu_usage_node", "ram_usage_node", "ram_usage_node_percentage", "power_usage_node"),
    *("cpu_usage_idle_node", "ram_usage_idle_node", "ram_usage_idle_node_percentage", "power_usage_idle_node"),
    *("rest_seconds", "overloaded_node"),
)
"""Columns that a file may lack."""

_OF_RESULTS = tuple(f"{column}_" for column in (*_NEEDED[2:], *_OF_FUNCTION))

RAM_BYTES, _RAM_PCT = "ram_usage_node", "ram_usage_node_percentage"

_WHOLE_OF_FUNCTION = ("rate_function", "replica", "ram_usage_function")
_WHOLE_OF_NODE = (RAM_BYTES, "ram_usage_idle_node")


def function_names(file: CsvFile) -> tuple[str, ...]:
    """Return the functions of a file, sorted: all that have one of the columns that a function needs."""
    needed = tuple(f"{column}_" for column in _NEEDED)
    columns = filter(lambda column: column.startswith(needed), file.header.cells)
    return tuple(sorted({column.partition(_FUNCTION)[2] for column in columns}))


def has_latencies(file: CsvFile) -> bool:
    """Tell whether a file has a column of latencies."""
    return any(column.startswith(LATENCY) for column in file.header.cells)


def whole_numbers(functions: Sequence[str]) -> list[str]:
    """Return the columns of results that hold whole numbers."""
    return [*(f"{column}_{name}" for name in functions for column in _WHOLE_OF_FUNCTION), *_WHOLE_OF_NODE]


def numbers(functions: Sequence[str]) -> list[str]:
    """Return the columns of results that hold numbers."""
    return [*(f"{column}_{name}" for name in functions for column in (*_NEEDED[1:], *_OF_FUNCTION)), *_OF_NODE]


def lists_skips(file: CsvFile) -> bool:
    """Tell whether a file lists skipped configurations: it has no columns of results, and is not named ``results``.

    If it is not named ``skipped`` either, any other column may be one of results whose name is damaged.
    """
    columns, kind = file.header.cells, kind_in_name(file)
    if kind == "skipped":
        return not any(column in _OF_NODE or column.startswith(_OF_RESULTS) for column in columns)
    return kind is None and all(column.startswith((_FUNCTION, RATE)) for column in columns)


def problem_of_skips(file: CsvFile, functions: Sequence[str]) -> str | None:
    """Return which column of a list of skipped configurations is missing or wrong, None if none is."""
    return _problem(file, functions, _NEEDED[:2])


def problem_of_results(
    file: CsvFile, functions: Sequence[str], ram_bytes: float | None, rules: OverloadConfig
) -> str | None:
    """Return which column of results is missing that a function or the rules need, or is wrong; None if none is.

    Args:
        file: the results.
        functions: those of the file.
        ram_bytes: the node's RAM, None where it is not known.
        rules: the overload rules by which its runs are judged.
    """
    return _problem(file, functions, _NEEDED) or _node_problem(file, ram_bytes, rules)


def _problem(file: CsvFile, functions: Sequence[str], per_function: Sequence[str]) -> str | None:
    damage = _miswritten(file.header.cells, functions) or file.problem(
        (f"{column}_{name}" for name in functions for column in per_function),
        optional=(*_OF_NODE, *(f"{column}_{name}" for name in functions for column in _OF_FUNCTION)),
    )
    if damage or not functions:
        header = ", ".join(file.header.cells)
        return damage or f"there is no column function_X in the header, which is {shortened(header)!r}"
    for name in functions:
        try:
            require_function_name(name)
        except ValueError as error:
            return f"column {shortened(f'function_{name}')} names no function: a name {error}"
    return None


def _miswritten(columns: Sequence[str], functions: Sequence[str]) -> str | None:
    """Return which column is one of a function, but for what is no letter or digit, or upper case; and what to write.

    A function of the file has any column that is like one of its own. Two columns that are like those of another
    function are of that one. So are its name and its rate with anything before them.
    """
    known = {f"{column}_{name}" for name in functions for column in (*_NEEDED, *_OF_FUNCTION)}
    by_plain = {plain_column(column): column for column in known}
    names = set(map(plain_column, functions))
    others = [column for column in columns if column not in known]
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for column in others:
        for needed, key in _like_needed(column):
            found[key].add(needed)
    for column in others:
        right = by_plain.get(plain_column(column))
        for needed, (before, name) in _like_needed(column):
            are_needed = found[before, name]
            is_whole = name not in names and are_needed.issuperset(("function", "rate_function"))
            if not right and (is_whole if before else len(are_needed) > 1):
                written = _NAME_IN[needed].search(normalize("NFKC", column))
                right = f"{needed}_{written[1] if written else name}"
        if right:
            return f"column {shortened(column)!r} is one of a function, but not written so: write {shortened(right)!r}"
    return None


def _like_needed(column: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each column that a function needs and this one is like, with what stands before it, and the function."""
    plain = plain_column(column)
    for needed in _NEEDED:
        before, is_there, name = plain.partition(plain_column(needed))
        if is_there and name:
            yield needed, (before, name)


def _node_problem(file: CsvFile, ram_bytes: float | None, rules: OverloadConfig) -> str | None:
    """Return which column of the node is missing that the rules need, and how to do without it."""
    if rules.cpu_overload_pct_of_capacity is not None and (problem := file.problem(["cpu_usage_node"])):
        return problem
    if rules.ram_overload_pct is None or _RAM_PCT in file.header.cells:
        return None
    if ram_bytes is None:
        return f"{file.missing(_RAM_PCT)}; --ram-gib N computes it from {RAM_BYTES}, --without ram needs none"
    return file.problem([RAM_BYTES])
