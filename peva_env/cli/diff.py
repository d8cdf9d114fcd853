"""The command ``peva-env diff``: how the safe region of a node has changed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from peva_env.cli.map_options import AsJson, Functions, Rule, RuleFile, Schema, names, rules
from peva_env.cli.paths import path_argument
from peva_env.console import make_console, print_difference, print_notes, write
from peva_env.errors import ConfigError
from peva_env.maps import MapDifference, NodeMap, compare, read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION

LOST = 3
"""Exit code of ``diff`` if the safe region has shrunk by more than is tolerated."""

_LAST = (None, None)


def diff(
    before: Annotated[Path, path_argument(metavar="BEFORE", help="The memory before the change.")],
    after: Annotated[Path, path_argument(metavar="AFTER", help="The memory after the change, or the same file.")],
    functions: Functions = None,
    context: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Contexts before and after: hashes or prefixes; default: those measured last."),
    ] = None,
    repetition: Annotated[
        tuple[int, int] | None, typer.Option(help="Repetitions before and after; default: the last.")
    ] = None,
    tolerate: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of the OK configurations that may be lost without exit code 3."),
    ] = 0.0,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Compare the safe region of a node before and after a change: the configurations gained and lost.

    Exit code 0 if no more than the tolerated share was lost, 3 if more was.
    """
    asked = rules(rule, rule_file)
    was, became = (
        read_map(
            path,
            functions=names(functions),
            context=one,
            repetition=number,
            at_least="within_sets",
            rules=asked,
            schema_version=schema_version,
        )
        for path, one, number in zip((before, after), context or _LAST, repetition or _LAST, strict=True)
    )
    _require_two_maps(was, became)
    difference = compare(was, became)
    if as_json:
        write(json.dumps(_as_data(was, became, difference), indent=2))
    else:
        console = make_console()
        print_difference(console, str(before), str(after), difference)
        print_notes(console, (*was.notes, *became.notes))
    raise typer.Exit(LOST if 100 * difference.lost_share > tolerate else 0)


def _require_two_maps(was: NodeMap, became: NodeMap) -> None:
    if (was.memory, was.context_hash, was.repetition) == (became.memory, became.context_hash, became.repetition):
        raise ConfigError(
            f"{was.memory} twice, and both times context {was.context_hash}, repetition {was.repetition}: "
            "choose two with --context or --repetition"
        )


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
