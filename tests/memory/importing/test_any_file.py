"""Whatever becomes of a file on its way: every line of it is imported, or refused by its number."""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count, dropwhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peva_env.config import OverloadConfig
from peva_env.errors import ConfigError
from peva_env.memory import DuckDBMemoryStore, verify
from peva_env.memory.dfaas import import_dfaas
from peva_env.memory.dfaas.rows import Units, read_recording
from peva_env.memory.importing import Recording
from peva_env.memory.importing.csv_file import read_csv
from peva_env.memory.table.mapping import TableMap
from peva_env.memory.table.rows import read_recording as read_table
from tests.support.dfaas_files import STAMPED, row, write

UNITS = Units("ns", 2, 30.0)
WORDS = ["", "N/A", "null", "-", "1_000", "١٢", "0,5", "1e9", '"', "nan", "\x00", "\x85", " ", "é", "-1", "x" * 200]

type Change = Callable[[bytes], bytes]


def text_change(change: Callable[[str], str]) -> Change:
    return lambda data: change(data.decode("latin-1")).encode("latin-1", errors="replace")


def replaced(old: str, new: str) -> Change:
    return text_change(lambda text: text.replace(old, new))


def encoded(encoding: str) -> Change:
    return lambda data: data.decode("latin-1").encode(encoding, errors="replace")


def put(at: int, word: str) -> Change:
    """Insert a word somewhere."""
    return text_change(lambda text: text[: at % (len(text) + 1)] + word + text[at % (len(text) + 1) :])


def cell(at: int, word: str) -> Change:
    """Put a word in place of a cell."""

    def change(text: str) -> str:
        cells = re.split(r"([,;\t\n])", text)
        cells[2 * (at % ((len(cells) + 1) // 2))] = word
        return "".join(cells)

    return text_change(change)


CHANGES = st.one_of(
    st.sampled_from([replaced(",", one) for one in (";", "\t", "|", " ", ", ", ",,")]),
    st.sampled_from([replaced("\n", one) for one in ("\r\n", "\r", ",\n", ";;\n", "\n\n", ",extra\n", "\x0b\n")]),
    st.sampled_from([replaced(".", ","), replaced("0", "O"), replaced('"', "'")]),
    st.sampled_from([encoded(one) for one in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")]),
    st.builds(lambda at: lambda data: data[: at % (len(data) + 1)], st.integers(0, 2000)),
    st.builds(lambda at: lambda data: data[at % (len(data) + 1) :], st.integers(0, 2000)),
    st.builds(put, st.integers(0, 2000), st.sampled_from(WORDS)),
    st.builds(cell, st.integers(0, 200), st.sampled_from(WORDS)),
    st.just(lambda data: data + data),
)


RESULTS = [row({"a": "10", "b": rate}, success_rate_function_a="0.990") for rate in ("", "0", "20", "30")]
RUNS = [{"function": name, "rps": "10", "sent": "300", "lost": "3", "p95": "12.5"} for name in ("a", "b", "a-b", "c")]
MAP = TableMap.model_validate(
    {
        "functions": [
            {
                "name_column": "function",
                "rate_rps": "rps",
                "requests": "sent",
                "failures": "lost",
                "latency": {"unit": "ms", "p95": "p95"},
            }
        ]
    }
)


def changed(
    path: Path, changes: list[Change], *, is_packed: bool, rows: Sequence[dict[str, str]] = RESULTS
) -> list[int]:
    """Write a small file, changed; return the numbers of its lines that are not blank."""
    data = write(path, *rows).read_bytes()
    for change in changes:
        data = change(data)
    path.write_bytes(gzip.compress(data) if is_packed else data)
    file = read_csv(path)
    return [line.number for line in (file.header, *file.lines)]


CHANGED = {"changes": st.lists(CHANGES, max_size=4), "is_packed": st.booleans()}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**CHANGED)
def test_every_line_is_read_or_refused_by_its_number(tmp_path: Path, changes: list[Change], is_packed: bool) -> None:
    path = tmp_path / STAMPED
    header, *below = changed(path, changes, is_packed=is_packed)
    require_each(read_recording(read_csv(path), UNITS, OverloadConfig()), header, below)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**CHANGED)
def test_every_line_of_a_table_is_read_or_refused_unless_a_column_is_missing(
    tmp_path: Path, changes: list[Change], is_packed: bool
) -> None:
    path = tmp_path / "runs.csv"
    header, *below = changed(path, changes, is_packed=is_packed, rows=RUNS)
    try:
        recording = read_table(read_csv(path), MAP, 30.0)
    except ConfigError:  # a column that the map names is not in the header
        return
    require_each(recording, header, below)


def test_a_table_without_the_name_of_any_column_lacks_those_of_the_map(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(",,,\n,,,\n")
    with pytest.raises(ConfigError, match="is missing"):
        read_table(read_csv(path), MAP, 30.0)


def require_each(recording: Recording, header: int, below: list[int]) -> None:
    """Require that each line below the header was read, or is refused once."""
    refused = [refusal.line for refusal in recording.refusals if refusal.line != header]
    assert sorted(set(refused)) == refused
    assert set(refused) <= set(below)
    assert len(recording.runs) + len(recording.skips) + len(refused) == len(below)
    assert all(refusal.reason for refusal in recording.refusals)


@pytest.fixture(scope="module")
def store() -> Iterator[DuckDBMemoryStore]:
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        yield store


NODES = count()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**CHANGED)
def test_what_is_read_can_be_imported_and_verified(
    store: DuckDBMemoryStore, tmp_path: Path, changes: list[Change], is_packed: bool
) -> None:
    path, node = tmp_path / STAMPED, f"node-{next(NODES)}"
    changed(path, changes, is_packed=is_packed)
    options: dict[str, Any] = {"node": node, "cores": 2, "latency_unit": "ns", "duration_s": 30.0}
    report = import_dfaas(store, [path], **options)
    merged = report.merged["execution_events"]
    assert (merged.inserted, merged.updated, merged.kept) == (report.n_runs + report.n_skipped, 0, 0)
    again = import_dfaas(store, [path], **options).merged["execution_events"]
    assert (again.inserted, again.updated, again.kept) == (0, 0, merged.inserted)


def test_what_was_imported_is_consistent(store: DuckDBMemoryStore) -> None:
    assert list(verify(store.database.connection)) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('a",;|\t\r\n 1'), max_size=60))
def test_every_line_that_is_not_blank_is_a_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(text.encode())
    file = read_csv(path)
    tab = "\t" if "tabs" in file.found else "none"
    lines = enumerate(re.split("\r\n|\r|\n", text), 1)
    below = dropwhile(lambda line: not line[1].strip(), lines)  # the header is no line of tabs
    numbers = [number for number, line in below if line.strip() or tab in line]
    assert [file.header.number, *(line.number for line in file.lines)] == (numbers or [0])
