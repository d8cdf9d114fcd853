"""The figure of an arena: the scores of the proved and of the predicted map by budget, side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peva_agents.arena.config import REFERENCE
from peva_env.report import budget_curves
from peva_env.report.figures import require_matplotlib

_SIZE_INCHES = (11, 4)
_DPI = 150


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """Write ``arena.png`` and ``arena.svg``.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": REFERENCE}):  # makes the SVG file reproducible
        figure = Figure(_SIZE_INCHES, layout="constrained")
        left, right = figure.subplots(1, 2)
        for ax, what in ((left, "proved_accuracy"), (right, "predicted_f1")):
            budget_curves(summary, ax, figure=what).get_legend().remove()
        figure.legend(*right.get_legend_handles_labels(), loc="outside right upper", frameon=False)
        figure.savefig(folder / "arena.png", dpi=_DPI)
        figure.savefig(folder / "arena.svg", metadata={"Date": None})
