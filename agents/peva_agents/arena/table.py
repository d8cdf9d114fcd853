"""The summary of an arena as tables: in a terminal, and in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from peva_agents.arena.summary import OFTEN_OVERLOADED
from peva_agents.arena.text_table import TextTable

NOTE = (
    "Proved: verdicts that were measured or inferred; an unknown one counts as wrong. Predicted: proved verdicts, and "
    "the agent's predictions of the others, which are OK for agents without predictions (*). Figures over episodes are "
    "interquartile means in percent, with 95 % bootstrap intervals."
)

_OFTEN = f"maps of which at least {OFTEN_OVERLOADED:.0%} is overloaded"

_BUDGET_TABLES = (
    ("budgets", "proved_accuracy", "Accuracy of what is proved"),
    ("budgets", "proved_f1", "F1 of overloaded, proved"),
    ("budgets", "predicted_accuracy", "Accuracy of what is predicted"),
    ("budgets", "predicted_f1", "F1 of overloaded, predicted"),
    ("often_overloaded", "predicted_f1", f"F1 of overloaded, predicted, {_OFTEN}"),
)


def tables(summary: Mapping[str, Any]) -> Iterator[TextTable]:
    """Return the tables of a summary of ``peva_agents.arena.summary``, each once."""
    budgets = summary["arena"]["budgets"]
    names = {row["agent"]: row["agent"] + ("" if row["predicts"] else "*") for row in summary["totals"]}
    seen: list[list[list[str]]] = []
    for key, figure, title in _BUDGET_TABLES:
        rows = [
            [name, *(_percent(row[figure]) for row in summary[key] if row["agent"] == agent)]
            for agent, name in names.items()
        ]
        if summary[key] and rows not in seen:  # all maps may be overloaded often, and no agent may predict
            seen.append(rows)
            yield TextTable(f"{title}, after so many runs", ["agent", *map(str, budgets)], rows)
    heads = ["agent", "complete", "runs", "of cartesian's", "seconds", "of cartesian's", "runs / certificate"]
    heads += ["seconds to cartesian's F1", "reached"]
    yield TextTable("Until the map is complete", heads, [_total(names[row["agent"]], row) for row in summary["totals"]])


def print_tables(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the tables of a summary."""
    for table in tables(summary):
        table.print(console)
    console.print(NOTE, highlight=False, markup=False)


def markdown(summary: Mapping[str, Any]) -> str:
    """Return a summary as Markdown."""
    n_maps, n_episodes = len(summary["maps"]), summary["totals"][0]["n_episodes"]
    lines = ["# Arena", "", f"{n_episodes:,} episodes of each agent on {n_maps:,} maps. {NOTE}", ""]
    for table in tables(summary):
        lines += table.markdown()
    return "\n".join(lines).rstrip()


def _percent(figure: Mapping[str, float]) -> str:
    return f"{100 * _middle(figure):.1f} [{100 * figure['low']:.1f},{100 * figure['high']:.1f}]"


def _middle(figure: Mapping[str, float]) -> float:
    return figure.get("iqm", figure["mean"])


def _total(name: str, row: Mapping[str, Any]) -> list[str]:
    at_least = "" if row["complete"] == 1 else "≥\u00a0"  # a no-break space
    ratio = row["runs_per_certificate"]
    return [
        name,
        f"{row['complete']:.0%}",
        f"{row['runs']:,.1f}",
        at_least + _percent(row["runs_share"]),
        f"{row['cost_s']:,.0f}",
        at_least + _percent(row["cost_share"]),
        f"{ratio['iqm']:.2f} [{ratio['low']:.2f},{ratio['high']:.2f}]",
        _percent(row["f1_cost_share"]),
        f"{row['f1_reached']:.0%}",
    ]
