"""Printing the capacity of a node over many memories, and its changes."""

from rich.console import Console

from peva_env.console.table import print_table
from peva_env.console.text import say
from peva_env.maps import TOTAL, Trend
from peva_env.system import moment_text, one_line


def print_trend(console: Console, trend: Trend) -> None:
    """Print a line for each memory, then the changes."""
    functions = list(trend.points[0].capacity.functions_rps)
    say(console, "Highest rates that were measured OK (requests/s), in total and of each function:\n")
    rows = [
        (
            moment_text(point.started_at),
            *(f"{trend.series(name)[number]:,.0f}" for name in (TOTAL, *functions)),
            one_line(point.memory),
        )
        for number, point in enumerate(trend.points)
    ]
    print_table(console, ("measured", TOTAL, *map(one_line, functions), "memory"), rows)
    say(console, "")
    if not trend.changes:
        say(console, "no change beyond chance")
    for name, changes in trend.changes.items():
        for change in changes:
            point = trend.points[change.index]
            say(
                console,
                f"{one_line(name)}: {change.before:,.0f} -> {change.after:,.0f} requests/s ({change.share:+.0%}) from "
                f"{moment_text(point.started_at)} on, {one_line(point.memory)} (p = {change.p_value:.4f})",
            )
