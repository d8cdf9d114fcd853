"""Printing the limits of a node: the highest mixes, the multiples of wanted mixes, and a limit for each function."""

from collections.abc import Iterable, Mapping

from rich.console import Console

from peva_env.console.answer import source_text
from peva_env.console.table import print_table
from peva_env.console.text import confidence_text, config_text, say
from peva_env.maps import Box, FunctionLimit, Limits, MixLimit, NodeMap
from peva_env.space import Config
from peva_env.system import one_line

_MAX_SHOWN = 10


def print_limits(console: Console, node_map: NodeMap, limits: Limits) -> None:
    """Print all limits, in requests/s."""
    if limits.highest:
        _print_highest(console, limits)
    for mix in limits.mixes:
        _print_mix(console, mix, limits)
    if limits.box is not None:
        _print_box(console, limits.box, limits)
    say(console, source_text(node_map))


def _print_highest(console: Console, limits: Limits) -> None:
    say(console, "The highest mixes that are OK (requests/s); with lower rates they are OK, too:\n")
    rows = [
        (
            f"  {config_text(mix.config)}",
            f"{mix.total_rps:,}",
            f"{mix.n_runs - mix.n_overloaded} of {mix.n_runs}",
            "-" if mix.confidence is None else confidence_text(mix.confidence),
        )
        for mix in limits.highest[:_MAX_SHOWN]
    ]
    print_table(console, ("  mix", "total", "runs OK", "confidence"), rows)
    if len(limits.highest) > _MAX_SHOWN:
        say(console, f"  and {len(limits.highest) - _MAX_SHOWN:,} more: --json has all")
    say(console, "")


def _print_mix(console: Console, mix: MixLimit, limits: Limits) -> None:
    named = one_line(" + ".join(f"{name} {share:g}" for name, share in mix.mix.items()))
    if mix.multiple is None:
        say(console, f"{named}: no multiple of it is proved OK")
    else:
        say(console, f"{named}: OK up to {mix.multiple:g} times, {config_text(mix.rates_rps.items())}")
        _print_reason(console, mix.proved_by, "OK", limits)
    if mix.overloaded_multiple is None:
        say(console, "  a lower bound: no multiple of it is proved overloaded")
    else:
        say(console, f"  overloaded from {mix.overloaded_multiple:g} times")
        _print_reason(console, mix.overloaded_by, "OVERLOADED", limits)
    say(console, "")


def _print_reason(console: Console, config: Config | None, verdict: str, limits: Limits) -> None:
    confidence = limits.confidence([config])
    sure = "" if confidence is None else f", {confidence_text(confidence)} sure"
    say(console, f"  follows from: {config_text(config or [])} was {verdict}{sure}")


def _print_box(console: Console, box: Box, limits: Limits) -> None:
    say(console, f"A limit for each function, safe whatever the others do within theirs ({_objective(box.weights)}):\n")
    rows = [(f"  {one_line(one.function)}", *_cells(one)) for one in box.limits]
    print_table(console, ("  function", "limit", "overloaded from", "highest on the map"), rows)
    for config in box.proved_by:
        _print_reason(console, config, "OK", limits)
    _print_named(console, (one for one in box.limits if not one.limit_rps), "not safe beside the others at any rate")
    lower_bounds = (one for one in box.limits if one.limit_rps and one.is_lower_bound)
    _print_named(console, lower_bounds, "a lower bound, since no higher rate is proved overloaded")
    say(console, "")


def _objective(weights: Mapping[str, float]) -> str:
    if set(weights.values()) == {1.0}:
        return "the largest product of the limits"
    return one_line("the largest product of " + " ".join(f"{name}^{weight:g}" for name, weight in weights.items()))


def _cells(one: FunctionLimit) -> tuple[str, str, str]:
    overloaded = "-" if one.overloaded_rps is None else f"{one.overloaded_rps:,}"
    return f"{one.limit_rps:,}", overloaded, f"{one.highest_rps:,}"


def _print_named(console: Console, limits: Iterable[FunctionLimit], what: str) -> None:
    names = ", ".join(one_line(one.function) for one in limits)
    if names:
        say(console, f"  {names}: {what}")
