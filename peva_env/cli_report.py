"""The command line of reports: ``peva-env report``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from peva_env.cli_maps import DEFAULT_MEMORY, Context, Repetition, Rule, Schema
from peva_env.config import load_config
from peva_env.console import make_console, say
from peva_env.contracts import EndStatus
from peva_env.frontier import DENSE_LIMIT, is_dense
from peva_env.maps import read_map
from peva_env.memory.store import DEFAULT_SCHEMA_VERSION
from peva_env.planning.plan_builder import DfaasPlanBuilder
from peva_env.report.html import write_report
from peva_env.space import ConfigSpace

_NO_PLAN = (
    "a memory holds no plan: this is the map of the rates and sets of functions that were recorded so far; with "
    "--config it is that of the campaign's whole plan"
)


def report(
    memory: Annotated[
        Path, typer.Option(help="The memory to report on; a campaign may be running on it.")
    ] = DEFAULT_MEMORY,
    out: Annotated[Path, typer.Option(help="The file to write; an older report is replaced.")] = Path("report.html"),
    context: Context = None,
    repetition: Repetition = None,
    functions: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    dominance: Annotated[
        Rule | None, typer.Option(help="What follows from a measurement; else as in its campaign.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The campaign's file: the map is then of its whole plan.")
    ] = None,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Write what a memory knows of a node as one HTML file, which needs no network and nothing beside it.

    Ends with 1 on an error, 2 on wrong usage; the file is then as it was.
    """
    space, notes = (None, ()) if config is None else _plan(config)
    node_map = read_map(
        memory,
        context=context,
        repetition=repetition,
        functions=None if functions is None else functions.split(","),
        space=space,
        dominance=dominance,
        schema_version=schema_version,
    )
    if config is None and any(campaign.status != EndStatus.COMPLETE for campaign in node_map.campaigns[-1:]):
        notes = (_NO_PLAN,)
    write_report(replace(node_map, notes=(*notes, *node_map.notes)), out)
    say(make_console(), f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")


def _plan(path: Path) -> tuple[ConfigSpace | None, tuple[str, ...]]:
    """Return the plan of a configuration; None, and why, where it is too large to be looked at one by one."""
    space = DfaasPlanBuilder(load_config(path)).build_space()
    if is_dense(space):
        return space, ()
    size = f"{space.n_configs:,} configurations, more than the {DENSE_LIMIT:,} that can be shown"
    return None, (f"the plan of {path.name} has {size}: this is the map of what was recorded",)
