"""The data of a report's page and of the figures, as arrays computed from maps and events."""

from peva_env.report.data.fleet_data import fleet_data, fleet_parts
from peva_env.report.data.map_data import map_data
from peva_env.report.data.run_data import run_data

__all__ = [
    "fleet_data",
    "fleet_parts",
    "map_data",
    "run_data",
]
