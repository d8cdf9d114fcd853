"""The picture of the README: what the cartesian and the learnt agent know after as many runs, on one simulated node.

uv run --extra report python -m benchmarks.readme_picture docs

Writes ``after-16-runs.svg`` and, for dark pages, ``after-16-runs-dark.svg``.
"""

import sys
from pathlib import Path
from typing import Any

import gymnasium

from peva_agents.cartesian import CartesianAgent
from peva_agents.learnt import LearntAgent
from peva_agents.loop import run_campaign
from peva_env.inference import MonotoneMap
from peva_env.report import overload_map

N_RUNS = 16
SEED = 1


def known_after(agent: Any) -> MonotoneMap:
    """Return the map that an agent has after so many runs."""
    env: Any = gymnasium.make("peva_env:peva/FaasSim-v1", node="random", budget_runs=N_RUNS, dominance=agent.dominance)
    run_campaign(env, agent, seed=SEED)
    known: MonotoneMap = env.unwrapped.known
    return known


def draw(path: Path, *styles: str) -> None:
    """Draw it in styles of matplotlib."""
    from matplotlib import pyplot
    from matplotlib.patheffects import withStroke

    with pyplot.style.context([*styles, {"svg.hashsalt": "peva-env"}]):  # the same picture is the same file
        figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
        for ax, agent in zip(axes, (CartesianAgent(), LearntAgent()), strict=True):
            known = known_after(agent)
            overload_map(known, ax)
            n_known = known.n_configs - known.n_unknown
            ax.set_title(
                f"{agent.name}: {n_known} of {known.n_configs} configurations known after {N_RUNS} runs", size=10
            )
        axes[0].get_legend().remove()  # all that it has beyond the other one is what is unknown
        for line in axes[1].get_legend().get_lines():  # black, on pale cells: on a dark page it needs a pale edge, too
            line.set_path_effects([withStroke(linewidth=4, foreground="#999999")])
        axes[0].text(0.5, 0.5, "unknown", transform=axes[0].transAxes, ha="center", color="#777777")
        figure.savefig(path, metadata={"Date": None}, transparent=True)


def main(folder: Path) -> None:
    """Draw it for light and for dark pages."""
    draw(folder / "after-16-runs.svg")
    draw(folder / "after-16-runs-dark.svg", "dark_background")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
