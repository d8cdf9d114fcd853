"""Printing the difference of two maps."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from peva_env.console.text import config_text, say
from peva_env.maps import MapDifference
from peva_env.space import Config
from peva_env.system import one_line

_MAX_SHOWN = 20
_MOST_LETTERS = 40


def print_difference(console: Console, before: str, after: str, difference: MapDifference) -> None:
    """Print the lost and the gained configurations, and the entries of the contexts that differ."""
    functions = one_line(" + ".join(difference.functions))
    say(console, f"{before} -> {after}: {difference.n_known:,} configurations of {functions} are known in both")
    say(console, f"  still OK {difference.n_ok:,}, still overloaded {difference.n_overloaded:,}")
    lost = f"{difference.lost_share:.1%} of the configurations that were OK; the lowest"
    _print_configs(console, "lost", lost, difference.lost, difference.lowest_lost)
    _print_configs(
        console, "gained", "overloaded before, OK now; the highest", difference.gained, difference.highest_gained
    )
    if difference.n_unknown:
        say(console, f"  known in one of them only: {difference.n_unknown:,}")
    if difference.left_out:
        say(console, f"  functions that only one of them has: {', '.join(map(one_line, difference.left_out))}")
    for name, was, became in difference.changes:
        say(console, f"  context: {one_line(name)}: {_shortened(was)} -> {_shortened(became)}")


def _print_configs(
    console: Console, name: str, what: str, configs: Sequence[Config], extremes: Sequence[Config]
) -> None:
    say(console, f"  {name} {len(configs):,}" + (f" ({what}):" if configs else ""))
    for config in extremes[:_MAX_SHOWN]:
        say(console, f"    {config_text(config)}")
    if len(extremes) > _MAX_SHOWN:
        say(console, f"    and {len(extremes) - _MAX_SHOWN:,} more")


def _shortened(value: Any) -> str:
    text = "none" if value is None else one_line(str(value))
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
