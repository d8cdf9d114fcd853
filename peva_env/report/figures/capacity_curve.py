"""Capacity against the objective: the highest rates that a node bears under each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from peva_env.maps import Capacity
from peva_env.report.figures.style import BLACK, COLOURS, FAINT, GREY, as_written, new_axes, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def capacity_curve(found: Sequence[Capacity], ax: "Axes | None" = None, *, sweep: str = "") -> "Axes":
    """Draw the highest total rate measured OK under each objective, and the highest rate of each function.

    The band between the black line and the grey one holds the capacity: above the grey line all is overloaded.

    Args:
        found: what a node bears under each objective.
        ax: the axes to draw on; None for new ones.
        sweep: the rule that differs between the objectives, if these are a sweep; its limits are then the axis.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    ax = ax or new_axes()
    labels = [one.objective for one in found]
    at = [float(label.partition("=")[2]) for label in labels] if sweep else list(map(float, range(len(found))))
    functions = list(found[0].functions_rps)
    if len(functions) > 1:
        for name, colour in zip(functions, COLOURS[1:] * len(functions), strict=False):
            rates = [_or_gap(one.functions_rps[name]) for one in found]
            ax.plot(at, rates, color=colour, marker=".", linestyle=":", label=short_name(name))
    totals = [float(one.total_rps or 0) for one in found]
    most = [_or_gap(one.most_rps) for one in found]
    ax.plot(at, most, color=GREY, linestyle="--", label="highest total not overloaded, or unknown")
    ax.plot(at, totals, color=BLACK, marker="o", label="highest total measured OK")
    ax.fill_between(at, totals, most, color=GREY, alpha=FAINT, linewidth=0)
    if sweep:
        ax.set_xlabel(as_written(f"objective: limit of {sweep}"))
    else:
        ax.set_xticks(at, [as_written(label) for label in labels], rotation=30, ha="right")
    ax.set_ylabel("offered requests/s")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=FAINT)
    ax.legend(frameon=False)
    return ax


def _or_gap(rate_rps: int | None) -> float:
    """Return a rate, or NaN, which is not drawn."""
    return float("nan") if rate_rps is None else float(rate_rps)
