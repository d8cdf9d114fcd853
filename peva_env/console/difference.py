"""Printing the difference of two maps."""

from typing import Any

from rich.console import Console

from peva_env.console.text import confidence_text, config_text, offer, say
from peva_env.maps import Change, DecidingRuns, MapDifference, Proof
from peva_env.planning import Candidates
from peva_env.system import command_text, one_line

_MAX_SHOWN = 20
_MOST_LETTERS = 40


def print_difference(console: Console, before: str, after: str, difference: MapDifference) -> None:
    """Print the changed and the undecided configurations with their runs, and the contexts' entries that differ."""
    functions = one_line(" + ".join(difference.functions))
    say(console, f"{before} -> {after}: {difference.n_known:,} configurations of {functions} are known in both")
    say(console, f"  still OK {difference.n_ok:,}, still overloaded {difference.n_overloaded:,}")
    lost = f"{difference.lost_share:.1%} of the configurations that were OK; the lowest"
    gained = "overloaded before, OK now; the highest"
    open_ones = f"the verdicts differ, but one of them is less than {difference.level:.4g} sure"
    _print_changes(console, "lost", lost, difference, difference.lost, difference.lowest_lost)
    _print_changes(console, "gained", gained, difference, difference.gained, difference.highest_gained)
    if len(difference.undecided):
        _print_changes(console, "undecided", open_ones, difference, difference.undecided, difference.undecided)
    if difference.n_unknown:
        say(console, f"  known in one of them only: {difference.n_unknown:,}")
    say(
        console,
        f"  compared: {difference.coverage:.1%} of the {difference.n_safe:,} configurations that were OK "
        f"({difference.n_safe_undecided:,} undecided, {difference.n_safe_unknown:,} unknown now)",
    )
    if difference.left_out:
        say(console, f"  functions that only one of them has: {', '.join(map(one_line, difference.left_out))}")
    print_context_changes(console, difference)


def print_context_changes(console: Console, difference: MapDifference) -> None:
    """Print the entries of the contexts of two maps that differ."""
    for name, was, became in difference.changes:
        say(console, f"  context: {one_line(name)}: {_shortened(was)} -> {_shortened(became)}")


def print_deciding_runs(
    console: Console, difference: MapDifference, deciding: DecidingRuns, plan: str | None, repetition: int
) -> None:
    """Print the runs that would decide what is left open, and the command for them if they were written as a plan."""
    if deciding.configs:
        n = len(deciding.configs)
        say(
            console,
            f"to decide the rest: {deciding.n_new_runs:,} more runs of {n:,} configuration{'' if n == 1 else 's'}"
            + ("; --plan writes them as a configuration" if plan is None else ", on the node as it is now:"),
        )
        if plan is not None:
            offer(console, "  run", command_text("run", "--config", plan, "--repetition", str(repetition)))
    if deciding.n_only_before:
        say(
            console,
            f"only more runs on the node as it was could decide {deciding.n_only_before:,}: their verdicts now are "
            f"{difference.level:.4g} sure, those before are not",
        )
    if plan is not None and not deciding.configs:
        say(console, "no run on the node as it is now would decide more: nothing was written")


def _print_changes(
    console: Console, name: str, what: str, difference: MapDifference, configs: Candidates, extremes: Candidates
) -> None:
    say(console, f"  {name} {len(configs):,}" + (f" ({what}):" if len(configs) else ""))
    for change in difference.proofs(extremes[:_MAX_SHOWN]):
        was, became = _proof(change, change.before), _proof(change, change.after)
        say(console, f"    {config_text(change.config)}: {was} -> {became}")
    if len(extremes) > _MAX_SHOWN:
        say(console, f"    and {len(extremes) - _MAX_SHOWN:,} more")


def _proof(change: Change, proof: Proof | None) -> str:
    if proof is None:
        return "unknown"
    place = "" if proof.config == change.config else f" of {config_text(proof.config)}"
    runs = f"{proof.verdict} in {proof.n_agreeing} of {proof.n_runs} runs{place}"
    if proof.margin is None:
        return f"{runs}, without a margin"
    return f"{runs}, margin {proof.margin:+.3f}, {confidence_text(proof.confidence)} sure"


def _shortened(value: Any) -> str:
    text = "none" if value is None else one_line(str(value))
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
