"""The pictures of README and docs, for light and for dark pages: ``python -m benchmarks.pictures`` (extra ``report``).

- ``after-16-runs.svg``: what the cartesian and the learnt agent know after as many runs, on one simulated node.
- ``results.svg``, if the summaries of two arenas are given: their curves side by side.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import typer

from peva_agents.cartesian import CartesianAgent
from peva_agents.learnt import LearntAgent
from peva_agents.loop import run_campaign
from peva_env.inference import MonotoneMap
from peva_env.report import budget_curves, overload_map

N_RUNS = 16
SEED = 1


def known_after(agent: Any) -> MonotoneMap:
    """Return the map that an agent has after so many runs."""
    env: Any = gymnasium.make("peva_env:peva/FaasSim-v1", node="random", budget_runs=N_RUNS, dominance=agent.dominance)
    run_campaign(env, agent, seed=SEED)
    known: MonotoneMap = env.unwrapped.known
    return known


def draw_maps(left: Any, right: Any) -> None:
    """Draw the two maps of the README."""
    from matplotlib.patheffects import withStroke

    for ax, agent in zip((left, right), (CartesianAgent(), LearntAgent()), strict=True):
        known = known_after(agent)
        overload_map(known, ax)
        n_known = known.n_configs - known.n_unknown
        ax.set_title(f"{agent.name}: {n_known} of {known.n_configs} configurations known after {N_RUNS} runs", size=10)
    left.get_legend().remove()  # all that it has beyond the other one is what is unknown
    for line in right.get_legend().get_lines():  # black, on pale cells: on a dark page it needs a pale edge, too
        line.set_path_effects([withStroke(linewidth=4, foreground="#999999")])
    left.text(0.5, 0.5, "unknown", transform=left.transAxes, ha="center", color="#777777")


def draw_curves(recorded: Path, simulated: Path, left: Any, right: Any) -> None:
    """Draw the curves of two arenas."""
    for ax, path, title in (
        (left, recorded, "recorded maps that learnt was not trained on"),
        (right, simulated, "simulated nodes that no agent was trained on"),
    ):
        summary = json.loads(path.read_text(encoding="utf-8"))
        budget_curves(summary | {"budgets": summary["often_overloaded"]}, ax, figure="predicted_f1")
        ax.set_ylim(0, 101)
        ax.set_title(title, size=10)
    left.get_legend().remove()
    right.legend(loc="lower right", frameon=False)


def write(path: Path, draw: Callable[[Any, Any], None]) -> None:
    """Write a picture of two axes, and its variant for dark pages beside it."""
    from matplotlib import pyplot

    for style, name in (([], path.name), (["dark_background"], f"{path.stem}-dark.svg")):
        with pyplot.style.context([*style, {"svg.hashsalt": "peva-env"}]):  # the same picture is the same file
            figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
            draw(*axes)
            if style and draw is not draw_maps:
                _brighten(axes)
            figure.savefig(path.with_name(name), metadata={"Date": None}, transparent=True)


def _brighten(axes: Any) -> None:
    """Make black lines white."""
    for ax in axes:
        lines = [*ax.get_lines(), *(ax.get_legend().get_lines() if ax.get_legend() else [])]
        for line in lines:
            if line.get_color() == "#000000":
                line.set_color("#FFFFFF")


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path("docs"),
    recorded: Annotated[Path | None, typer.Option(help="summary.json of an arena on recorded maps.")] = None,
    simulated: Annotated[Path | None, typer.Option(help="summary.json of an arena on simulated nodes.")] = None,
) -> None:
    """Write the pictures."""
    write(folder / "after-16-runs.svg", draw_maps)
    if recorded and simulated:
        write(folder / "results.svg", lambda left, right: draw_curves(recorded, simulated, left, right))


if __name__ == "__main__":
    typer.run(main)
