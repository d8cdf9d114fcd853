"""What a map answers, and how two maps differ, in a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from peva_env.console.text import STYLES, config_text, say
from peva_env.contracts import Verdict
from peva_env.maps import Answer, Difference, Headroom, Neighbour, NodeMap
from peva_env.space import Config
from peva_env.system import one_line

_BASES = {
    "measured": "measured",
    "inferred": "proved by what was measured",
    "contradicted": "not proved: measurements contradict each other",
    "predicted": "not proved: predicted",
}
_CERTAIN = 0.95
_MAX_SHOWN = 20
_MOST_LETTERS = 40


def print_answer(console: Console, node_map: NodeMap, answer: Answer) -> None:
    """Print the verdict, how it is known, what is near, and how much could be added."""
    how, because = _BASES[answer.basis], answer.because
    if answer.basis == "measured":
        how, because = f"{how}: {_count(because[0])}", ()
    if answer.basis in ("contradicted", "predicted"):
        how += f", overloaded with a probability of {_probability(answer.overloaded)}"
    say(console, Text(f"{config_text(answer.config)}: ") + _verdict(answer.verdict) + Text(f", {how}"))
    _print_neighbours(console, "measured" if answer.basis == "contradicted" else "follows from", because)
    _print_neighbours(console, "nearest", answer.nearest)
    if answer.beyond and answer.basis == "predicted":
        say(console, f"  a guess: no rate as high was measured of {', '.join(map(one_line, answer.beyond))}")
    if answer.headroom:
        say(console, "\nHow far each rate could be raised, the others staying as they are (rps):")
        console.print(_headroom_table(answer.headroom))
    say(
        console,
        f"\nnode {node_map.node}, context {node_map.context_hash}, repetition {node_map.repetition}, "
        f"{len(node_map.known.measured):,} configurations measured; inferred {node_map.known.dominance}",
    )


def print_difference(console: Console, before: str, after: str, difference: Difference) -> None:
    """Print what was lost and gained from one memory to another, and what differs about the nodes."""
    functions = one_line(" + ".join(difference.functions))
    say(console, f"{before} -> {after}: {difference.n_known:,} configurations of {functions} are known in both")
    say(console, f"  still OK {difference.n_ok:,}, still overloaded {difference.n_overloaded:,}")
    lost = f"{difference.lost_share:.1%} of what was OK; the lowest"
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


def _shortened(value: Any) -> str:
    text = "none" if value is None else one_line(str(value))
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def print_notes(console: Console, notes: Iterable[str]) -> None:
    """Print what was done instead of what one might expect."""
    for note in notes:
        say(console, Text("note: ", "dim") + Text(one_line(note)))


def _verdict(verdict: Verdict) -> Text:
    return Text(str(verdict), STYLES[verdict])


def _probability(likely: float) -> str:
    if likely > _CERTAIN:
        return f"over {_CERTAIN:.0%}"
    return f"under {1 - _CERTAIN:.0%}" if likely < 1 - _CERTAIN else f"{likely:.0%}"


def _print_neighbours(console: Console, what: str, neighbours: Sequence[Neighbour]) -> None:
    for one in neighbours:
        line = Text(f"  {what}: {config_text(one.config)} was ") + _verdict(one.verdict)
        say(console, line + Text(f" in {_count(one)}"))


def _count(one: Neighbour) -> str:
    n = one.n_overloaded if one.verdict is Verdict.OVERLOADED else one.n_runs - one.n_overloaded
    return f"{n} of {one.n_runs} runs"


def _headroom_table(headroom: Sequence[Headroom]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  function")
    for name in ("now", "proved OK up to", "likely OK up to", "proved overloaded from", "highest on the map"):
        table.add_column(name, justify="right")
    for one in headroom:
        rates: list[Any] = [one.rate_rps, one.ok_rps, one.likely_ok_rps, one.overloaded_rps, one.highest_rps]
        table.add_row(Text(f"  {one_line(one.function)}"), *("-" if rate is None else str(rate) for rate in rates))
    return table


def _print_configs(
    console: Console, name: str, what: str, configs: Sequence[Config], extremes: Sequence[Config]
) -> None:
    say(console, f"  {name} {len(configs):,}" + (f" ({what}):" if configs else ""))
    for config in extremes[:_MAX_SHOWN]:
        say(console, f"    {config_text(config)}")
    if len(extremes) > _MAX_SHOWN:
        say(console, f"    and {len(extremes) - _MAX_SHOWN:,} more")
