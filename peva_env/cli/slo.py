"""The command ``peva-env slo``: what a node bears under each of several objectives."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peva_env.cli.map_options import (
    DEFAULT_MEMORY,
    AsJson,
    Context,
    Functions,
    Inference,
    Repetition,
    Rule,
    RuleFile,
    Schema,
    names,
    rules,
)
from peva_env.cli.paths import path_option
from peva_env.config import AskedRules, OverloadConfig, changed_rules, merged_changes, rule_changes
from peva_env.console import make_console, print_capacities, print_notes, say, write
from peva_env.errors import ConfigError
from peva_env.maps import capacities, read_stored
from peva_env.memory import DEFAULT_SCHEMA_VERSION, memory_files
from peva_env.report import capacity_curve, figure_file, write_figure
from peva_env.system import plain_number

_MOST = 1000
"""Most objectives of a sweep: each is a map of its own."""

_ROUNDING = 1e-9


def slo(
    objective: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=LIMIT[,KEY=LIMIT]...", help="An objective: p95_ms_max=200,success_rate_node_min=0.99"
        ),
    ] = None,
    memory: Annotated[Path, path_option(help="The memory to ask; a campaign may be running on it.")] = DEFAULT_MEMORY,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="KEY=FROM:TO:STEP", help="One rule at several limits: p95_ms_max=50:500:50"),
    ] = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    figure: Annotated[
        Path | None, path_option(help="Draw capacity against objective into this file, .svg or .png (extra report).")
    ] = None,
    context: Context = None,
    repetition: Repetition = None,
    functions: Functions = None,
    dominance: Inference = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Print what a node bears under each of several objectives, from what was measured; nothing is measured again.

    The rules of the last campaign apply where an objective does not change them; --rule and --rule-file change them for
    all objectives.
    """
    if figure is not None:
        figure_file(figure, inputs=memory_files(memory))  # before the map is read
    objectives = _objectives(objective, sweep, rules(rule, rule_file))
    stored = read_stored(
        memory,
        context=context,
        repetition=repetition,
        functions=names(functions),
        dominance=dominance,
        at_least="within_sets",
        schema_version=schema_version,
    )
    found = capacities(stored, objectives)
    console = make_console()
    if as_json:
        about = {"memory": stored.memory, "context_hash": stored.context_hash, "repetition": stored.repetition}
        write(json.dumps({**about, "objectives": [asdict(one) for one in found], "notes": stored.notes}, indent=2))
    else:
        print_capacities(console, found)
        print_notes(console, stored.notes)
    if figure is not None:
        write_figure(capacity_curve(found, sweep=(sweep or "").partition("=")[0]), figure)
        if not as_json:
            say(console, f"wrote {figure}")


def _objectives(texts: list[str] | None, sweep: str | None, always: AskedRules) -> dict[str, AskedRules]:
    """Return the rules of each objective by its text; without any, the rules of the campaign alone.

    Raises:
        ConfigError: an objective or the sweep is wrong, or both are given.
    """
    if texts and sweep is not None:
        raise ConfigError("give objectives or --sweep, not both")
    given = list(texts or ()) if sweep is None else _swept(sweep)
    return {text: _changed(always, text) for text in given} or {"as in the campaign": always}


def _changed(always: AskedRules, objective: str) -> AskedRules:
    changes = rule_changes(objective.split(","))
    if isinstance(always, OverloadConfig):
        return changed_rules(always, changes)
    return merged_changes(always or {}, changes)


def _swept(sweep: str) -> list[str]:
    """Return the objectives of a sweep, lowest limit first."""
    key, _, span = sweep.partition("=")
    try:
        first, last, step = (float(plain_number(text)) for text in span.split(":"))
    except ValueError:
        first = last = step = math.nan
    if not (key and -math.inf < first <= last < math.inf and 0 < step < math.inf):
        raise ConfigError(
            f"--sweep {sweep!r}: write a rule, the first limit, the last and the step: p95_ms_max=50:500:50"
        )
    n_steps = (last - first) / step + _ROUNDING
    if n_steps >= _MOST:
        raise ConfigError(f"--sweep {sweep!r}: has more than {_MOST:,} limits; give a larger step")
    return [f"{key}={first + i * step:.10g}" for i in range(math.floor(n_steps) + 1)]
