"""The command ``peva-env limits``: the loads that are safe, and configuration that enforces them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml

from peva_env.cli.map_options import (
    DEFAULT_MEMORY,
    AsJson,
    Context,
    Functions,
    Repetition,
    Rule,
    RuleFile,
    Schema,
    names,
    rules,
)
from peva_env.cli.paths import path_option
from peva_env.console import make_console, print_limits, print_notes, write
from peva_env.errors import ConfigError
from peva_env.maps import Limits, NodeMap, limits_of, read_map
from peva_env.maps import snippet as snippet_of
from peva_env.memory import DEFAULT_SCHEMA_VERSION
from peva_env.system import plain_number

Program = Literal["nginx", "haproxy", "envoy", "knative", "openfaas", "k6"]
"""``peva_env.maps.SNIPPETS``; Typer needs the names here."""


def limits(
    memory: Annotated[Path, path_option(help="The memory to ask; a campaign may be running on it.")] = DEFAULT_MEMORY,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE[,NAME=SHARE]...",
            help="Find the largest safe multiple of this mix, as fetch=2,checkout=1; may be repeated.",
        ),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=WEIGHT[,NAME=WEIGHT]...",
            help="How much the limit of each function counts, as fetch=2; 1 for all others.",
        ),
    ] = None,
    snippet: Annotated[
        Program | None, typer.Option(help="Print the limits of the functions as configuration of this program.")
    ] = None,
    context: Context = None,
    repetition: Repetition = None,
    functions: Functions = None,
    dominance: Annotated[
        Literal["within_sets", "two_sided"] | None,
        typer.Option(help="How verdicts are inferred; default: as in the campaign, but at least within_sets."),
    ] = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: AsJson = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print YAML instead of text.")] = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Print the loads that are safe: the highest mixes, and a limit of each function that holds whatever the others do.

    Only loads that are proved OK are safe. What is unknown, predicted or contradicted is not.
    """
    if sum((as_json, as_yaml, snippet is not None)) > 1:
        raise ConfigError("give one of --json, --yaml and --snippet")
    mixes = [_numbers("--mix", text) for text in mix or ()]
    weights = None if weight is None else _numbers("--weight", weight)
    node_map = read_map(
        memory,
        context=context,
        repetition=repetition,
        functions=names(functions),
        dominance=dominance,
        at_least="within_sets",
        rules=rules(rule, rule_file),
        schema_version=schema_version,
    )
    found = limits_of(node_map, mixes, weights)
    if snippet is not None:
        write(snippet_of(snippet, node_map, found.box))
    elif as_json:
        write(json.dumps(_as_data(node_map, found), indent=2))
    elif as_yaml:
        write(yaml.safe_dump(json.loads(json.dumps(_as_data(node_map, found))), sort_keys=False).rstrip())
    else:
        console = make_console()
        print_limits(console, node_map, found)
        print_notes(console, (*found.notes, *node_map.notes))


def _numbers(option: str, text: str) -> dict[str, float]:
    """Return the numbers of an option by function.

    Raises:
        ConfigError: a part is not ``function=number``, or a function is named twice.
    """
    numbers: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().rpartition("=")
        try:
            value = float(plain_number(number))
        except ValueError:
            name = ""
        if not name or name in numbers:
            raise ConfigError(f"{option} {text!r}: write each function once, with a number, as in fetch=2,checkout=1")
        numbers[name] = value
    return numbers


def _as_data(node_map: NodeMap, found: Limits) -> dict[str, Any]:
    """Return limits as plain data, mixes as requests/s by function."""
    box = found.box
    return {
        "memory": node_map.memory,
        "node": node_map.node,
        "context_hash": node_map.context_hash,
        "repetition": node_map.repetition,
        "dominance": node_map.known.dominance,
        "highest": [
            {"rates_rps": dict(one.config), **{key: value for key, value in asdict(one).items() if key != "config"}}
            for one in found.highest
        ],
        "mixes": [
            {
                **asdict(one),
                "proved_by": one.proved_by and dict(one.proved_by),
                "confidence": found.confidence([one.proved_by]),
                "overloaded_by": one.overloaded_by and dict(one.overloaded_by),
                "overloaded_confidence": found.confidence([one.overloaded_by]),
            }
            for one in found.mixes
        ],
        "box": box
        and {
            "objective": "largest product of limit_rps ** weight",
            "weights": box.weights,
            "limits": [{**asdict(one), "is_lower_bound": one.is_lower_bound} for one in box.limits],
            "proved_by": list(map(dict, box.proved_by)),
            "confidence": found.confidence(box.proved_by),
        },
        "notes": [*found.notes, *node_map.notes],
    }
