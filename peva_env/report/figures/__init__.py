"""Figures in Matplotlib: overload map, load curves, a campaign's timeline, capacity against objectives, a scouting."""

from peva_env.report.figures.campaign_timeline import campaign_timeline
from peva_env.report.figures.capacity_curve import capacity_curve
from peva_env.report.figures.capacity_trend import capacity_trend
from peva_env.report.figures.load_curves import load_curves
from peva_env.report.figures.map_slice import MapSlice
from peva_env.report.figures.map_slicer import MapSlicer
from peva_env.report.figures.overload_map import overload_map, overload_maps, slice_panels
from peva_env.report.figures.scouting_curve import scouting_curve
from peva_env.report.figures.style import COLOURS, FAINT, as_written, new_axes, require_matplotlib

__all__ = [
    "COLOURS",
    "FAINT",
    "MapSlice",
    "MapSlicer",
    "as_written",
    "campaign_timeline",
    "capacity_curve",
    "capacity_trend",
    "load_curves",
    "new_axes",
    "overload_map",
    "overload_maps",
    "require_matplotlib",
    "scouting_curve",
    "slice_panels",
]
