"""The agents side by side, as ``docs/results.md`` has them: ``python -m benchmarks.agents_results [--data FOLDER]``.

Four arenas: recorded maps with three runs of each configuration and with one, simulated nodes without and with noise.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from peva_agents.arena import arena

BUDGETS = (12, 25, 50, 100)
AGENTS = ("staircase", "bandit", "level_set", "learnt")

type Summary = dict[str, Any]


def main(
    data: Annotated[list[str], typer.Option(help="Recordings: folders of core Parquet.")] = ["local-node-v1"],  # noqa: B006
    scenarios: Annotated[list[str] | None, typer.Option(help="Only the maps whose names begin so.")] = None,
    prior: Annotated[list[str] | None, typer.Option(help="Recordings to transfer from, for a row of its own.")] = None,
    min_recorded: Annotated[int, typer.Option(help="Only maps with at least so many configurations.")] = 1,
    seeds: Annotated[int, typer.Option(help="Episodes of each map.")] = 5,
    nodes: Annotated[int, typer.Option(help="Simulated nodes.")] = 200,
    against: Annotated[list[str], typer.Option(help="Agents to compare beside the baselines.")] = list(AGENTS),  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder of the arenas.")] = Path("peva-results/agents"),
) -> None:
    """Play four arenas, and print the figures that agents are judged by."""
    agents = [*against, *(["learnt-transfer"] if prior else [])]
    recorded: Summary = {"agents": agents, "data": data, "min_recorded": min_recorded, "seeds": seeds}
    recorded |= {name: value for name, value in (("scenarios", scenarios), ("prior", prior)) if value}
    recorded |= {"budgets": BUDGETS}
    simulated: Summary = {"agents": against, "sim": f"random:{nodes}", "budgets": BUDGETS}
    arenas = {
        "recorded": recorded,
        "recorded-once": recorded | {"iterations": 1},
        "simulated": simulated | {"noise": 0.0, "iterations": 1},
        "simulated-noisy": simulated | {"iterations": 1},
    }
    found = {name: arena(given, console=Console(), out=out / name) for name, given in arenas.items()}
    for name, summary in found.items():
        print(f"\n{name}\n\n{_table(summary)}")


def _table(summary: Summary) -> str:
    totals = {row["agent"]: row for row in summary["totals"]}
    lines = [f"| | {' | '.join(totals)} |", f"|---|{'---:|' * len(totals)}"]
    lines += [f"| {title} | {' | '.join(cells)} |" for title, cells in _rows(summary, totals)]
    return "\n".join(lines)


def _rows(summary: Summary, totals: dict[str, Any]) -> list[tuple[str, list[str]]]:
    everywhere, often = summary["budgets"], summary["often_overloaded"]
    certificates = sum(one["certificate"] for one in summary["maps"]) / len(summary["maps"])
    return [
        ("runs until complete, of cartesian's", _each(totals, "runs_share", "mean")),
        *_at(everywhere, totals, "proved_accuracy", "proved accuracy"),
        *_at(everywhere, totals, "predicted_accuracy", "predicted accuracy"),
        *_at(often, totals, "predicted_f1", "predicted F1, maps >= 5 % overloaded"),
        ("runs / certificate, interquartile mean", _each(totals, "runs_per_certificate", "iqm")),
        ("runs / certificate, ratio of sums", [f"{row['runs'] / certificates:.2f}" for row in totals.values()]),
        ("machine seconds until complete, of cartesian's", _each(totals, "cost_share", "mean")),
        ("machine seconds to cartesian's F1, of cartesian's", _each(totals, "f1_cost_share", "mean")),
        ("... reached in", [f"{row['f1_reached']:.0%}" for row in totals.values()]),
    ]


def _each(totals: dict[str, Any], figure: str, kind: str) -> list[str]:
    return [f"{row[figure][kind]:.3f}" for row in totals.values()]


def _at(rows: list[Summary], agents: dict[str, Any], figure: str, title: str) -> list[tuple[str, list[str]]]:
    """Return a figure's plain means at four budgets: a row a budget, a cell an agent."""
    found = {(row["agent"], row["budget"]): row[figure]["mean"] for row in rows}
    return [
        (f"{title}, after {budget} runs", [f"{found[agent, budget]:.3f}" for agent in agents])
        for budget in (BUDGETS if rows else ())
    ]


if __name__ == "__main__":
    typer.run(main)
