"""The figures: each function draws with matplotlib on the given axes, or on new ones, and returns them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from peva_env.errors import ConfigError
from peva_env.report.figures import (
    COLOURS,
    FAINT,
    as_written,
    campaign_timeline,
    capacity_curve,
    capacity_trend,
    load_curves,
    new_axes,
    overload_map,
    overload_maps,
    scouting_curve,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BUDGET_FIGURES",
    "budget_curves",
    "campaign_timeline",
    "capacity_curve",
    "capacity_trend",
    "load_curves",
    "overload_map",
    "overload_maps",
    "scouting_curve",
]

_LINES = ("-", "--", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MARKER = 4
_THICKEST, _THINNEST = 3.0, 1.2
"""Widths of the first and the last line, in points: a line that lies on another one hides only its middle."""

BUDGET_FIGURES = {
    "proved_accuracy": "correctly classified (%), proved",
    "proved_precision": "precision of overloaded (%), proved",
    "proved_recall": "recall of overloaded (%), proved",
    "proved_f1": "F1 of overloaded (%), proved",
    "predicted_accuracy": "correctly classified (%), predicted",
    "predicted_precision": "precision of overloaded (%), predicted",
    "predicted_recall": "recall of overloaded (%), predicted",
    "predicted_f1": "F1 of overloaded (%), predicted",
}
"""The figures that ``budget_curves`` can draw, and the label of the axis of each."""


def budget_curves(data: Mapping[str, Any], ax: "Axes | None" = None, *, figure: str = "proved_accuracy") -> "Axes":
    """Draw the accuracy of an arena's agents against the runs spent: interquartile means with their intervals.

    Args:
        data: the contents of ``summary.json`` of ``peva-env arena``.
        ax: the axes to draw on; None for new ones.
        figure: one of ``BUDGET_FIGURES``.

    Raises:
        ConfigError: there is no such figure, nothing to draw, or matplotlib is not installed.
    """
    if figure not in BUDGET_FIGURES:
        raise ConfigError(f"figure {figure!r}: must be one of {', '.join(BUDGET_FIGURES)}")
    if not data["budgets"]:
        raise ConfigError("budgets: the arena has no results at any budget, so there is nothing to draw")
    ax = ax or new_axes()
    agents = list(dict.fromkeys(row["agent"] for row in data["budgets"]))
    for number, agent in enumerate(agents):
        rows = [row for row in data["budgets"] if row["agent"] == agent]
        runs = [row["budget"] for row in rows]
        iqm, low, high = ([100 * row[figure][name] for row in rows] for name in ("iqm", "low", "high"))
        colour, line = COLOURS[number % len(COLOURS)], _LINES[number // len(COLOURS) % len(_LINES)]
        width = _THINNEST + (_THICKEST - _THINNEST) * (len(agents) - 1 - number) / max(1, len(agents) - 1)
        ax.plot(
            runs,
            iqm,
            color=colour,
            linestyle=line,
            linewidth=width,
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=_MARKER,
            label=_label(agent),
        )
        ax.fill_between(runs, low, high, color=colour, alpha=FAINT, linewidth=0)
    _name_axes(ax, data["arena"]["budgets"], BUDGET_FIGURES[figure])
    return ax


def _label(agent: str) -> str:
    """Return an agent's name for a legend: matplotlib leaves out labels that begin with an underscore."""
    return as_written(f" {agent}" if agent.startswith("_") else agent)


def _name_axes(ax: "Axes", budgets: list[int], name: str) -> None:
    ax.set_xscale("log")
    ax.set_xticks(budgets, [str(budget) for budget in budgets])
    ax.minorticks_off()
    ax.set_xlabel("runs")
    ax.set_ylabel(name)
    ax.set_ylim(0, 100)
    ax.grid(alpha=FAINT)
    ax.legend(frameon=False)
