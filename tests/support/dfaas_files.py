"""Files of results as DFaaS wrote them."""

import csv
from pathlib import Path

STAMPED = "results-2023-12-06_10-05-33-0-30s.csv"
STARTED_AT = 1701857133.0
HEALTHY = {
    "success_rate_function": "1.000",
    "cpu_usage_function": "8.000",
    "ram_usage_function": "3403093.333",
    "power_usage_function": "7637.695",
    "replica": "1",
    "overloaded_function": "0",
    "medium_latency_function": "10500000",
}
NODE = {
    "cpu_usage_idle_node": "60.000",
    "cpu_usage_node": "100.000",
    "ram_usage_idle_node": "4564531200.000",
    "ram_usage_node": "4627554816.000",
    "ram_usage_idle_node_percentage": "27.579",
    "ram_usage_node_percentage": "27.967",
    "power_usage_idle_node": "332407.000",
    "power_usage_node": "1102047.875",
    "rest_seconds": "10",
    "overloaded_node": "0",
}


def row(rates: dict[str, str], **changes: str) -> dict[str, str]:
    """Return a row of results; a function whose rate is empty is absent."""
    cells: dict[str, str] = {}
    for name, rate in rates.items():
        values = {"function": name, "rate_function": rate} | HEALTHY
        cells |= {f"{column}_{name}": value if rate else "" for column, value in values.items()}
    return cells | NODE | changes


def write(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path
