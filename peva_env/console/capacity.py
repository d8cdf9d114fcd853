"""Printing what a node bears under each of several objectives."""

from collections.abc import Sequence

from rich.console import Console

from peva_env.console.table import print_table
from peva_env.console.text import config_text, say
from peva_env.maps import Capacity
from peva_env.system import one_line


def print_capacities(console: Console, found: Sequence[Capacity]) -> None:
    """Print a line for each objective: the counts of its map, and the highest rates that are OK."""
    functions = list(found[0].functions_rps)
    say(console, "Highest rates that were measured OK (requests/s), in total and of each function:\n")
    heads = ("objective", "OK", "overloaded", "unknown", "total", "at most", *map(one_line, functions), "total is of")
    rows = [
        (
            one_line(one.objective),
            *(f"{n:,}" for n in (one.n_ok, one.n_overloaded, one.n_unknown)),
            *(_rate(rate) for rate in (one.total_rps, one.most_rps, *(one.functions_rps[name] for name in functions))),
            "-" if one.highest is None else config_text(one.highest),
        )
        for one in found
    ]
    print_table(console, heads, rows)
    say(console, "\nat most: the highest total rate of a configuration that is not overloaded, unknown ones included")


def _rate(rate_rps: int | None) -> str:
    return "-" if rate_rps is None else f"{rate_rps:,}"
