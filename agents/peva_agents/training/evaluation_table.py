"""The comparison of agents as a table: in a terminal, and in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from peva_agents.arena import TextTable
from peva_agents.training.evaluation import COLUMNS

_SHARES = ("resolved", "accuracy")


def print_tables(console: Console, rows: Sequence[Mapping[str, Any]], title: str, note: str) -> None:
    """Print the rows of ``peva_agents.training.evaluation.evaluation_rows``, a table for each scenario."""
    for table in _tables(rows):
        table._replace(title=f"{table.title}: {title}").print(console, caption=f"{note}; mean [95 % interval]")


def markdown(rows: Sequence[Mapping[str, Any]], title: str, note: str) -> str:
    """Return the rows of ``peva_agents.training.evaluation.evaluation_rows`` as Markdown."""
    lines = ["# Evaluation", "", f"{title}; {note}. Mean [95 % bootstrap interval].", ""]
    for table in _tables(rows):
        lines += table.markdown()
    return "\n".join(lines).rstrip()


def _tables(rows: Sequence[Mapping[str, Any]]) -> Iterator[TextTable]:
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        own = [row for row in rows if row["scenario"] == scenario]
        texts = [[row["agent"], *(_figure(name, row[name]) for name in COLUMNS)] for row in own]
        yield TextTable(scenario, ["agent", *COLUMNS.values()], texts)


def _figure(name: str, interval: Mapping[str, float]) -> str:
    if name in _SHARES:
        return f"{interval['mean']:.1%} [{interval['low']:.1%}, {interval['high']:.1%}]"
    digits = 1 if name == "n_runs" else 3
    return f"{interval['mean']:.{digits}f} [{interval['low']:.{digits}f}, {interval['high']:.{digits}f}]"
