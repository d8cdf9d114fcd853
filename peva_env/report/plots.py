"""Figures drawn with matplotlib, each onto axes that are given or made, in colours that colour-blind people tell apart.

The colours are those of Okabe and Ito, "Color universal design" (2008), yellow, which is faint on white, the last.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from peva_env.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#F0E442")
_LINES = ("-", "--", ":")
_BAND_OPACITY = 0.2

BUDGET_FIGURES = {
    "proved_accuracy": "configurations told right, proved (%)",
    "proved_precision": "precision of overloaded, proved (%)",
    "proved_recall": "recall of overloaded, proved (%)",
    "proved_f1": "F1 of overloaded, proved (%)",
    "predicted_accuracy": "configurations told right, predicted (%)",
    "predicted_precision": "precision of overloaded, predicted (%)",
    "predicted_recall": "recall of overloaded, predicted (%)",
    "predicted_f1": "F1 of overloaded, predicted (%)",
}
"""What ``budget_curves`` can draw, and what its axis is called."""


def budget_curves(data: Mapping[str, Any], ax: "Axes | None" = None, *, figure: str = "proved_accuracy") -> "Axes":
    """Draw how right the agents of an arena are after so many runs: interquartile means with their intervals.

    Args:
        data: what ``summary.json`` of ``peva-env arena`` holds.
        ax: where to draw; new axes without it.
        figure: one of ``BUDGET_FIGURES``.

    Raises:
        ConfigError: there is no such figure, or matplotlib is not installed.
    """
    if figure not in BUDGET_FIGURES:
        raise ConfigError(f"figure {figure!r}: must be one of {', '.join(BUDGET_FIGURES)}")
    ax = ax or _new_axes()
    for number, agent in enumerate(dict.fromkeys(row["agent"] for row in data["budgets"])):
        rows = [row for row in data["budgets"] if row["agent"] == agent]
        runs = [row["budget"] for row in rows]
        iqm, low, high = ([100 * row[figure][name] for row in rows] for name in ("iqm", "low", "high"))
        colour, line = _COLOURS[number % len(_COLOURS)], _LINES[number // len(_COLOURS) % len(_LINES)]
        ax.plot(runs, iqm, color=colour, linestyle=line, marker="o", markersize=3, label=agent)
        ax.fill_between(runs, low, high, color=colour, alpha=_BAND_OPACITY, linewidth=0)
    _name_axes(ax, data["arena"]["budgets"], BUDGET_FIGURES[figure])
    return ax


def require_matplotlib() -> None:
    """Accept that figures can be drawn.

    Raises:
        ConfigError: they cannot; how to mend that.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError("figures need matplotlib, which is not installed: pip install 'peva-env[report]'") from None


def _new_axes() -> "Axes":
    require_matplotlib()
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def _name_axes(ax: "Axes", budgets: list[int], name: str) -> None:
    ax.set_xscale("log")
    ax.set_xticks(budgets, [str(budget) for budget in budgets])
    ax.minorticks_off()
    ax.set_xlabel("runs")
    ax.set_ylabel(name)
    ax.set_ylim(0, 100)
    ax.grid(alpha=_BAND_OPACITY)
    ax.legend(frameon=False)
