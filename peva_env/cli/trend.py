"""The command ``peva-env trend``: the capacity of a node over many memories, and where it changes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from peva_env.cli.map_options import (
    AsJson,
    Context,
    Functions,
    Inference,
    Rule,
    RuleFile,
    Schema,
    names,
    require_one_node,
    rules,
)
from peva_env.cli.paths import path_argument, path_option
from peva_env.console import make_console, print_notes, print_trend, say, write
from peva_env.maps import Trend, read_stored, trend_of
from peva_env.memory import DEFAULT_SCHEMA_VERSION, memory_files
from peva_env.report import capacity_trend, figure_file, write_figure

LOST = 3
"""Exit code of ``trend`` if the last change has taken more capacity than is tolerated."""


def trend(
    memories: Annotated[
        list[Path], path_argument(metavar="MEMORY...", help="Memories of one node, at least three, in any order.")
    ],
    tolerate: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of a capacity that may be lost without exit code 3."),
    ] = 0.0,
    level: Annotated[
        float,
        typer.Option(min=0.001, max=0.5, help="Significance: how often a series without change may show one."),
    ] = 0.05,
    figure: Annotated[
        Path | None, path_option(help="Draw capacity and changes into this file, .svg or .png (extra report).")
    ] = None,
    context: Context = None,
    functions: Functions = None,
    dominance: Inference = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Print the capacity of a node over many memories, and where it changes by more than chance.

    Of each memory the context and repetition measured last count. The rules of the newest campaign judge all, unless
    --rule or --rule-file change them. Exit code 0, or 3 if the last change of a capacity is a loss beyond --tolerate.
    """
    if figure is not None:
        figure_file(figure, inputs=[file for memory in memories for file in memory_files(memory)])
    stored = [
        read_stored(
            memory,
            context=context,
            functions=names(functions),
            dominance=dominance,
            at_least="within_sets",
            schema_version=schema_version,
        )
        for memory in memories
    ]
    if context is None:
        require_one_node(*stored)
    found = trend_of(stored, rules(rule, rule_file), level=level)
    console = make_console()
    if as_json:
        write(json.dumps(_as_data(found), indent=2))
    else:
        print_trend(console, found)
        print_notes(console, dict.fromkeys(note for one in stored for note in one.notes))
    if figure is not None:
        write_figure(capacity_trend(found), figure)
        if not as_json:
            say(console, f"wrote {figure}")
    raise typer.Exit(LOST if 100 * found.lost_share > tolerate else 0)


def _as_data(found: Trend) -> dict[str, Any]:
    changes = {
        name: [{**asdict(one), "share": one.share, "memory": found.points[one.index].memory} for one in of_series]
        for name, of_series in found.changes.items()
    }
    return {"points": [asdict(one) for one in found.points], "changes": changes, "lost_share": found.lost_share}
