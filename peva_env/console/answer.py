"""Printing the answer of a map about a load."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from peva_env.console.table import print_table
from peva_env.console.text import STYLES, confidence_text, config_text, say
from peva_env.contracts import Verdict
from peva_env.maps import (
    DOMINANCE_RULES,
    WHY_ADDING_HELPS,
    Headroom,
    LoadAnswer,
    Neighbour,
    NodeMap,
    is_above_fewer,
)
from peva_env.system import one_line

_BASIS_TEXTS = {
    "measured": "measured",
    "inferred": "inferred from what was measured",
    "contradicted": "contradicted: measurements cannot all be right",
    "predicted": "predicted, not proved",
    "unknown": "nothing measured supports a prediction",
}
_RATES = ("now", "proved OK up to", "predicted OK up to", "proved overloaded from", "highest on the map")
_CERTAIN = 0.95


def print_answer(console: Console, node_map: NodeMap, answer: LoadAnswer) -> None:
    """Print the verdict, how it is known, the nearest measured configurations, and the headroom."""
    how, because = _BASIS_TEXTS[answer.basis], answer.because
    if answer.basis == "measured":
        how, because = f"{how}: {_count(because[0])}{_incomplete(because[0], node_map.iterations)}", ()
    if answer.confidence is not None:
        how += f", {confidence_text(answer.confidence)} sure"
    if answer.basis in ("contradicted", "predicted") and answer.overloaded is not None:
        how += f", overloaded with a probability of {_probability(answer.overloaded)}"
    if answer.basis == "unknown":
        how += f": {_lacking(answer)}"
    verdict = Text("unknown") if answer.verdict is None else _verdict(answer.verdict)
    say(console, Text(f"{config_text(answer.config)}: ") + verdict + Text(f", {how}"))
    _print_neighbours(console, "measured" if answer.basis == "contradicted" else "follows from", because)
    _print_neighbours(console, "nearest", answer.nearest)
    if answer.beyond and answer.basis == "predicted":
        say(console, f"  a guess: beyond the highest measured rate of {', '.join(map(one_line, answer.beyond))}")
    if answer.headroom:
        say(console, "\nHow far each rate could be raised, the others staying as they are (rps):")
        _print_headroom(console, answer.headroom)
    if is_above_fewer(node_map.known, answer.config) and answer.verdict is Verdict.OK:
        say(console, f"\nfewer of these functions at no higher rates are overloaded: {WHY_ADDING_HELPS}")
    say(console, f"\n{source_text(node_map)}")


def _lacking(answer: LoadAnswer) -> str:
    """Return which measurements a prediction would need."""
    if not any(rate for _, rate in answer.config):
        return f"no measured configuration without load is {Verdict.OVERLOADED}"
    lacking = ((answer.never_ok, Verdict.OK), (answer.never_overloaded, Verdict.OVERLOADED))
    return " and ".join(
        f"no measured load with {', '.join(map(one_line, functions))} is {verdict}"
        for functions, verdict in lacking
        if functions
    )


def source_text(node_map: NodeMap) -> str:
    """Return the map that an answer is from, by which rule it infers, and why by more than its campaigns did."""
    dominance, of_campaign = node_map.known.dominance, node_map.campaign_dominance
    source = (
        f"node {node_map.node}, context {node_map.context_hash}, repetition {node_map.repetition}, "
        f"{len(node_map.known.measured):,} configurations measured; inferred {dominance}"
    )
    if of_campaign is None or DOMINANCE_RULES.index(dominance) <= DOMINANCE_RULES.index(of_campaign):
        return source
    return (
        f"{source}. The campaign inferred less ({of_campaign}) and measured the rest; --dominance {of_campaign} "
        "answers by its rule"
    )


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


def _incomplete(one: Neighbour, iterations: int) -> str:
    return f", incomplete: others have {iterations}" if one.n_runs < iterations else ""


def _print_headroom(console: Console, headroom: Sequence[Headroom]) -> None:
    rows = [
        (f"  {one_line(one.function)}", *("-" if rate is None else str(rate) for rate in _rates(one)))
        for one in headroom
    ]
    print_table(console, ("  function", *_RATES), rows)


def _rates(one: Headroom) -> tuple[int | None, ...]:
    return one.rate_rps, one.ok_rps, one.likely_ok_rps, one.overloaded_rps, one.highest_rps
