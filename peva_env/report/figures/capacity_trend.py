"""Capacity over many measurements of a node, with its change points."""

from itertools import pairwise
from typing import TYPE_CHECKING

from peva_env.maps import TOTAL, Trend
from peva_env.report.figures.style import BLACK, COLOURS, FAINT, GREY, new_axes, short_name
from peva_env.system import moment_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def capacity_trend(trend: Trend, ax: "Axes | None" = None) -> "Axes":
    """Draw the highest total rate measured OK in each memory, and the highest rate of each function.

    Level lines are means between change points; a vertical line stands at each change point.

    Args:
        trend: the capacities and their changes.
        ax: the axes to draw on; None for new ones.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    ax = ax or new_axes()
    at = list(range(len(trend.points)))
    names = [TOTAL, *trend.points[0].capacity.functions_rps]
    for number, name in enumerate(names[:1] if len(names) <= 2 else names):  # of one function, both are the same
        colour = COLOURS[number % len(COLOURS)] if number else BLACK
        label = "total" if name == TOTAL else short_name(name)
        ax.plot(at, trend.series(name), color=colour, marker="o" if number == 0 else ".", linestyle=":", label=label)
        bounds = [0, *(change.index for change in trend.changes.get(name, ())), len(at)]
        for first, end in pairwise(bounds):
            mean = sum(trend.series(name)[first:end]) / (end - first)
            ax.plot([first - 0.4, end - 0.6], [mean, mean], color=colour, linewidth=1)
    for index in sorted({change.index for changes in trend.changes.values() for change in changes}):
        ax.axvline(index - 0.5, color=GREY, linestyle="--")
    ax.set_xticks(at, [moment_text(point.started_at)[:16] for point in trend.points], rotation=30, ha="right")
    ax.set_ylabel("highest rate measured OK (requests/s)")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=FAINT)
    ax.legend(frameon=False)
    return ax
