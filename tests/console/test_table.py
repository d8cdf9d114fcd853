"""Tables in terminals of any width."""

import re
from pathlib import Path

import pytest

from peva_agents.arena import TextTable
from peva_env.console import print_table, print_verdicts
from peva_env.console.answer import print_answer
from peva_env.console.memory import print_memory
from peva_env.contracts import Verdict
from peva_env.maps import ask, read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading, summarize_memory
from peva_env.space import config_key
from tests.console.test_console import event, screen
from tests.support.maps import pair, remember, square

HEADS = ("function", "proved OK up to", "context")
ROWS = [("checkout", "1,200", "0123456789abcdef"), ("b", "-", "f")]


def test_a_table_that_fits_has_a_line_for_each_row() -> None:
    console, text = screen(60, terminal=True)
    print_table(console, HEADS, ROWS)
    assert [line.split() for line in text.getvalue().splitlines()][1:] == [list(row) for row in ROWS]


@pytest.mark.parametrize("width", [20, 30, 40])
def test_a_table_that_does_not_fit_has_a_paragraph_for_each_row(width: int) -> None:
    console, text = screen(width, terminal=True)
    print_table(console, HEADS, ROWS)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == "checkout"
    assert " ".join(text.getvalue().split()) == (
        "checkout proved OK up to 1,200, context 0123456789abcdef b proved OK up to -, context f"
    )


def test_a_file_gets_the_whole_table_whatever_its_width() -> None:
    console, text = screen(10)
    print_table(console, HEADS, ROWS)
    assert len(text.getvalue().splitlines()) == 3


def test_names_in_brackets_are_no_markup() -> None:
    console, text = screen()
    TextTable("of [red]", ("agent", "runs"), [("[bold]x", "1")]).print(console, caption="[dim]")
    assert [name in text.getvalue() for name in ("of [red]", "[bold]x", "[dim]")] == [True] * 3


def test_no_value_of_a_verdict_is_lost_in_a_narrow_terminal() -> None:
    console, text = screen(40, terminal=True)
    config = [("checkout", 150), ("fetch", 150)]
    print_verdicts(console, [event(config)], {config_key(config)})
    assert " ".join(text.getvalue().split()) == (
        "checkout 150 + fetch 150 verdict OK, agree 1/1, margin +0.05, success 0.980, p95 ms 52, CPU % 21"
    )


def test_an_answer_and_a_memory_are_read_in_a_narrow_terminal(tmp_path: Path) -> None:
    path = remember(tmp_path / "x.duckdb", square(40))
    console, text = screen(40, terminal=True)
    node_map = read_map(path, configs=[pair(10, 10)], at_least="within_sets")
    print_answer(console, node_map, ask(node_map, pair(10, 10)))
    with reading(path, DEFAULT_SCHEMA_VERSION) as connection:
        print_memory(console, path, 1, summarize_memory(connection))
    written = text.getvalue()
    assert max(map(len, written.splitlines())) <= 40
    assert re.search(r"^  a\n +now 10, proved OK up to 30", written, re.MULTILINE)
    assert "context ctx" in " ".join(written.split())


def test_an_answer_without_a_basis_is_unknown(tmp_path: Path) -> None:
    path = remember(tmp_path / "x.duckdb", [run for run in square(40) if run.verdict is Verdict.OVERLOADED])
    console, text = screen(200)
    node_map = read_map(path, configs=[pair(9, 9)], at_least="within_sets")
    print_answer(console, node_map, ask(node_map, pair(9, 9)))
    assert text.getvalue().startswith(
        "a 9 + b 9: unknown, nothing measured supports a prediction: no measured load with a, b is OK\n"
    )


def test_an_answer_about_no_load_says_that_no_such_configuration_was_overloaded(tmp_path: Path) -> None:
    path = remember(tmp_path / "x.duckdb", [event(pair(40, 40))])
    console, text = screen(200)
    node_map = read_map(path, configs=[[("a", 0)]], at_least="within_sets")
    print_answer(console, node_map, ask(node_map, [("a", 0)]))
    assert text.getvalue().startswith(
        "a 0: unknown, nothing measured supports a prediction: no measured configuration without load is OVERLOADED\n"
    )
