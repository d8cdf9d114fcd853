"""The command line of maps: ``peva-env ask`` and ``peva-env diff``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from peva_env.console import make_console, print_answer, print_difference, print_notes
from peva_env.errors import ConfigError
from peva_env.maps import MapDifference, NodeMap, compare, read_map
from peva_env.maps import ask as ask_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION
from peva_env.space import MAX_RATE_RPS, Config

DEFAULT_MEMORY = Path("peva-results/peva_faas.duckdb")
"""Where a campaign puts its memory, unless its configuration says otherwise."""

LOST = 3
"""Exit code of ``diff`` if the safe region has shrunk by more than is tolerated."""

_LAST = (None, None)

Rule = Literal["one_sided", "within_sets", "two_sided"]
"""``peva_env.inference.grid.Dominance``; older Typers do not look behind the name of a type."""

Context = Annotated[str | None, typer.Option(help="Context hash or prefix; default: the context measured last.")]
Repetition = Annotated[int | None, typer.Option(min=1, help="Number of the repetition; default: the last.")]
Functions = Annotated[str | None, typer.Option(help="Only these functions, separated by commas.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Schema = Annotated[str, typer.Option("--schema-version", help="Schema label of the memory.")]


def ask(
    rates: Annotated[list[str], typer.Argument(metavar="FUNCTION=RPS...", help="The load: figlet=40 env=20.")],
    memory: Annotated[Path, typer.Option(help="The memory to ask; a campaign may be running on it.")] = DEFAULT_MEMORY,
    context: Context = None,
    repetition: Repetition = None,
    dominance: Annotated[
        Rule | None,
        typer.Option(help="How verdicts are inferred; default: as in the campaign, but at least within_sets."),
    ] = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Ask a memory whether its node can bear a load, how that is known, and how far each rate could be raised.

    Any rates can be asked for, measured or not. An unknown verdict is predicted by the agent learnt.
    """
    config = _config(rates)
    node_map = read_map(
        memory,
        configs=[config],
        context=context,
        repetition=repetition,
        dominance=dominance,
        at_least="within_sets",
        schema_version=schema_version,
    )
    answer = ask_map(node_map, config)
    if as_json:
        about = {"node": node_map.node, "context_hash": node_map.context_hash, "repetition": node_map.repetition}
        typer.echo(json.dumps({**about, **asdict(answer), "notes": node_map.notes}, indent=2))
        return
    console = make_console()
    print_answer(console, node_map, answer)
    print_notes(console, node_map.notes)


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A memory.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Another memory, or the same with another context.")],
    functions: Functions = None,
    context: Annotated[
        tuple[str, str] | None, typer.Option(help="Contexts of the two memories; default: those measured last.")
    ] = None,
    repetition: Annotated[
        tuple[int, int] | None, typer.Option(help="Repetitions of the two; default: the last.")
    ] = None,
    tolerate: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of the safe region that may be lost without exit code 3.")
    ] = 0.0,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Compare the safe region of a node before and after a change: the configurations gained and lost.

    Exit code 0 if no more than the tolerated share was lost, 3 if more was.
    """
    was, became = (
        read_map(
            path,
            functions=names(functions),
            context=one,
            repetition=number,
            at_least="within_sets",
            schema_version=schema_version,
        )
        for path, one, number in zip((before, after), context or _LAST, repetition or _LAST, strict=True)
    )
    if (was.memory, was.context_hash, was.repetition) == (became.memory, became.context_hash, became.repetition):
        raise ConfigError(
            f"{before} twice, and both times context {was.context_hash}, repetition {was.repetition}: "
            "choose two with --context or --repetition"
        )
    difference = compare(was, became)
    if as_json:
        typer.echo(json.dumps(_as_data(was, became, difference), indent=2))
    else:
        console = make_console()
        print_difference(console, str(before), str(after), difference)
        print_notes(console, (*was.notes, *became.notes))
    raise typer.Exit(LOST if 100 * difference.lost_share > tolerate else 0)


def names(functions: str | None) -> list[str] | None:
    """Return the names between the commas, None without the option.

    Raises:
        ConfigError: a name is empty.
    """
    if functions is None:
        return None
    found = [name.strip() for name in functions.split(",")]
    if not all(found):
        raise ConfigError(f"--functions {functions!r}: a name is empty; write them as in a,b")
    return found


def _as_data(was: NodeMap, became: NodeMap, difference: MapDifference) -> dict[str, Any]:
    """Return a difference as plain data: counts, and the lowest lost and the highest gained configurations."""
    about = {
        when: {"memory": one.memory, "node": one.node, "context_hash": one.context_hash, "repetition": one.repetition}
        for when, one in (("before", was), ("after", became))
    }
    return {
        **about,
        "functions": difference.functions,
        "n_known": difference.n_known,
        "n_ok": difference.n_ok,
        "n_overloaded": difference.n_overloaded,
        "n_lost": len(difference.lost),
        "n_gained": len(difference.gained),
        "n_unknown": difference.n_unknown,
        "lost_share": difference.lost_share,
        "lowest_lost": list(difference.lowest_lost),
        "highest_gained": list(difference.highest_gained),
        "left_out": difference.left_out,
        "changes": difference.changes,
        "notes": [*was.notes, *became.notes],
    }


def _config(rates: list[str]) -> Config:
    """Return the configuration of the arguments.

    Raises:
        ConfigError: an argument is not ``function=rate``, or a function is named twice.
    """
    config = [_pair(text) for text in rates]
    asked = [name for name, _ in config]
    twice = next((name for name in asked if asked.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice} is named twice: give each function once, such as figlet=40 env=20")
    return sorted(config)


def _pair(text: str) -> tuple[str, int]:
    name, _, rate = text.rpartition("=")
    is_number = rate.isascii() and rate.isdecimal() and len(rate) <= len(str(MAX_RATE_RPS))
    if not name or not is_number or int(rate) > MAX_RATE_RPS:
        raise ConfigError(f"{text!r}: write a function and whole requests per second, such as figlet=40")
    return name, int(rate)
