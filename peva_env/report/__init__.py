"""What was found as figures. They need matplotlib, of the extra ``report``, which is imported where one is drawn."""

from peva_env.report.html import write_report
from peva_env.report.plots import budget_curves, campaign_timeline, load_curves, overload_map, overload_maps

__all__ = [
    "budget_curves",
    "campaign_timeline",
    "load_curves",
    "overload_map",
    "overload_maps",
    "write_report",
]
