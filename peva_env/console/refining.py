"""Printing the limits of a refined map."""

from rich.console import Console
from rich.text import Text

from peva_env.console.table import print_table
from peva_env.console.text import STYLES, config_text, say
from peva_env.contracts import Verdict
from peva_env.inference import MonotoneMap
from peva_env.planning import Limit, Refinement
from peva_env.system import one_line

_HEADS = ("limit of", "with (rps)", "OK up to", "overloaded from", "apart")
_MAX_ROWS = 60


def print_refined_limits(console: Console, refinement: Refinement, known: MonotoneMap) -> None:
    """Print a row for each limit of a map: up to which rate a function is OK, and from which it is overloaded."""
    limits = refinement.limits(known)
    console.print()
    if not limits:
        is_complete = refinement.is_grid_complete(known)
        why = "no limit lies between two levels" if is_complete else "the map is not complete, so it has no limits yet"
        say(console, why)
        return
    print_table(console, _HEADS, [_row(limit) for limit in limits[:_MAX_ROWS]], n_left=2)
    if len(limits) > _MAX_ROWS:
        say(console, f"and {len(limits) - _MAX_ROWS} more limits")


def _row(limit: Limit) -> list[str | Text]:
    others = [(name, rate) for name, rate in limit.config if name != limit.function]
    apart = limit.overloaded_rps - limit.ok_rps
    return [
        Text(one_line(limit.function)),
        config_text(others) or "alone",
        Text(str(limit.ok_rps), STYLES[Verdict.OK]),
        Text(str(limit.overloaded_rps), STYLES[Verdict.OVERLOADED]),
        f"{apart / limit.ok_rps:.0%}" if limit.ok_rps else f"{apart} rps",
    ]
