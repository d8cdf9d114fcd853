"""Reports and figures of a node's map.

What must always hold:

- Matplotlib, Jinja and Plotly, of the extra ``report``, are imported only when a figure or page is made.
- A report is one file that needs no network; names from a memory are shown as text, never run as markup or script.
"""

from peva_env.report.figure_file import figure_file, write_figure
from peva_env.report.frame import map_frame
from peva_env.report.html import report_file, write_fleet_report, write_report
from peva_env.report.map_figure import fleet_figure, map_figure
from peva_env.report.plots import (
    budget_curves,
    campaign_timeline,
    capacity_curve,
    capacity_trend,
    load_curves,
    overload_map,
    overload_maps,
    scouting_curve,
)

__all__ = [
    "budget_curves",
    "campaign_timeline",
    "capacity_curve",
    "capacity_trend",
    "figure_file",
    "fleet_figure",
    "load_curves",
    "map_figure",
    "map_frame",
    "overload_map",
    "overload_maps",
    "report_file",
    "scouting_curve",
    "write_figure",
    "write_fleet_report",
    "write_report",
]
