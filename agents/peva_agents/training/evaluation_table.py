"""The comparison of agents as a table: in a terminal, and in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from peva_agents.training.evaluation import COLUMNS

_SHARES = ("resolved", "accuracy")


def print_table(console: Console, rows: Sequence[Mapping[str, Any]], title: str, note: str) -> None:
    """Print the rows of ``peva_agents.training.evaluation.summarize``."""
    for scenario, own in _by_scenario(rows):
        table = Table(title=f"{scenario}: {title}", caption=f"{note}; mean [95 % interval]")
        table.add_column("agent")
        for column in COLUMNS.values():
            table.add_column(column, justify="right")
        for row in own:
            table.add_row(row["agent"], *(_figure(name, row[name]) for name in COLUMNS))
        console.print(table)


def markdown(rows: Sequence[Mapping[str, Any]], title: str, note: str) -> str:
    """Return the rows of ``peva_agents.training.evaluation.summarize`` as Markdown."""
    lines = ["# Evaluation", "", f"{title}; {note}. Mean [95 % bootstrap interval].", ""]
    for scenario, own in _by_scenario(rows):
        lines += [f"## {scenario}", "", f"| agent | {' | '.join(COLUMNS.values())} |"]
        lines.append(f"|---|{'---:|' * len(COLUMNS)}")
        lines += [f"| {row['agent']} | {' | '.join(_figure(name, row[name]) for name in COLUMNS)} |" for row in own]
        lines.append("")
    return "\n".join(lines).rstrip()


def _by_scenario(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        yield scenario, [row for row in rows if row["scenario"] == scenario]


def _figure(name: str, interval: Mapping[str, float]) -> str:
    if name in _SHARES:
        return f"{interval['mean']:.1%} [{interval['low']:.1%}, {interval['high']:.1%}]"
    digits = 1 if name == "n_runs" else 3
    return f"{interval['mean']:.{digits}f} [{interval['low']:.{digits}f}, {interval['high']:.{digits}f}]"
