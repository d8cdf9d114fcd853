"""Options that the commands about maps share, such as ``ask``, ``limits`` and ``report``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from peva_env.cli.paths import path_option
from peva_env.config import AskedRules, OverloadConfig, changed_rules, merged_changes, read_rules, rule_changes
from peva_env.errors import ConfigError
from peva_env.maps import NodeMap, StoredMap
from peva_env.memory import MAX_REPETITION, fleet_node

DEFAULT_MEMORY = Path("peva-results/peva_faas.duckdb")
"""Where a campaign puts its memory, unless its configuration says otherwise."""

DominanceRule = Literal["one_sided", "within_sets", "two_sided"]
"""``peva_env.inference.grid.Dominance``; older Typers do not look behind the name of a type."""

Inference = Annotated[
    DominanceRule | None,
    typer.Option(
        "--dominance", help="How verdicts are inferred; default: as in the campaign, but at least within_sets."
    ),
]
Context = Annotated[
    str | None,
    typer.Option(help="Name of a node, or context hash or prefix; default: the context measured last."),
]
Repetition = Annotated[
    int | None, typer.Option(min=1, max=MAX_REPETITION, help="Number of the repetition; default: the last.")
]
Functions = Annotated[str | None, typer.Option(help="Only these functions, separated by commas.")]
Rule = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=LIMIT",
        help="Judge by this rule instead of the campaign's: p95_ms_max=200, figlet.success_rate_min=0.99, "
        "ram_overload_pct=null for no rule; may be repeated.",
    ),
]
RuleFile = Annotated[
    Path | None,
    path_option(
        "--rule-file", help="Judge by the rules of this file: keys of overload, or the configuration of a campaign."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _label(text: str) -> str:
    if not text:  # a memory with such a label could be made, but no configuration could name it
        raise typer.BadParameter("a label must not be empty; leave the option out for the default")
    return text


Schema = Annotated[
    str, typer.Option("--schema-version", help="Schema label that the memory must have.", callback=_label)
]


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


def rules(rule: list[str] | None, rule_file: Path | None) -> AskedRules:
    """Return the rules, or the changes of rules, of the options; None without any. ``--rule`` goes before the file.

    Raises:
        ConfigError: a rule is wrong.
    """
    changes = rule_changes(rule or ())
    if rule_file is None:
        return changes or None
    of_file = read_rules(rule_file)
    if isinstance(of_file, OverloadConfig):
        return changed_rules(of_file, changes)
    return merged_changes(of_file, changes)


def require_one_node(*maps: NodeMap | StoredMap) -> None:
    """Check that maps which nobody chose are not of different nodes of a fleet, whichever was measured last.

    Raises:
        ConfigError: they are.
    """
    nodes = {one.memory: fleet_node(one.campaigns[-1].run_id) for one in maps if one.campaigns}
    if len(set(nodes.values())) > 1 and None not in nodes.values():
        of_each = ", ".join(f"{memory} {node}" for memory, node in nodes.items())
        raise ConfigError(f"different nodes of a fleet were measured last ({of_each}): choose with --context")
