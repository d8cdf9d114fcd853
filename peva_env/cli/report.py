"""The command line of reports: ``peva-env report``."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from peva_env.campaign import with_scouted_rates
from peva_env.cli.map_options import (
    DEFAULT_MEMORY,
    Context,
    DominanceRule,
    Functions,
    Repetition,
    Rule,
    RuleFile,
    Schema,
    names,
    rules,
)
from peva_env.cli.paths import path_option
from peva_env.config import AskedRules, load_config
from peva_env.console import make_console, say
from peva_env.errors import ConfigError
from peva_env.maps import NodeMap, read_fleet, read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION, memory_files
from peva_env.planning import DfaasPlanBuilder
from peva_env.report import (
    figure_file,
    fleet_figure,
    map_figure,
    report_file,
    write_figure,
    write_fleet_report,
    write_report,
)
from peva_env.space import DENSE_LIMIT, ConfigSpace

_NO_PLAN = (
    "a memory holds no plan: this map spans the rates and sets of functions that were recorded so far; with --config "
    "it spans the campaign's whole plan"
)


def report(
    memory: Annotated[
        Path, path_option(help="The memory to report on; a campaign may be running on it.")
    ] = DEFAULT_MEMORY,
    out: Annotated[Path, path_option(help="The file to write; an older report is replaced.")] = Path("report.html"),
    context: Context = None,
    repetition: Repetition = None,
    functions: Functions = None,
    dominance: Annotated[
        DominanceRule | None, typer.Option(help="How verdicts are inferred; default: as in the campaign.")
    ] = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    config: Annotated[
        Path | None,
        path_option("--config", "-c", help="Configuration of the campaign: the map then spans the whole plan."),
    ] = None,
    figure: Annotated[
        Path | None, path_option(help="Draw the map, or that of each node, into this file as well, .svg or .png.")
    ] = None,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Write the map of a node as one self-contained HTML file, which needs no network.

    If the memory has several nodes, as that of a fleet, the page shows them side by side, and each by itself.
    Exit code 1 on an error, 2 on wrong usage; the file is then left as it was.
    """
    report_file(out, inputs=memory_files(memory))  # before the map is read
    if figure is not None:
        figure_file(figure, inputs=[out, *memory_files(memory)])
    choice = _Choice(
        functions=names(functions),
        dominance=dominance,
        rules=rules(rule, rule_file),
        finer=False,
        schema_version=schema_version,
    )
    maps = read_fleet(memory, **choice) if (context, repetition, config) == (None, None, None) else {}
    console = make_console()
    if maps:
        write_fleet_report({name: _with_notes(one) for name, one in maps.items()}, out)
    else:
        space, notes = (None, ()) if config is None else _plan(config)
        read = partial(read_map, memory, context=context, repetition=repetition, **choice)
        node_map = read(space=space)
        if space is not None and not node_map.events:
            raise ConfigError(f"--config {config}: {_nothing_of_plan(space, read().known.space, memory)}")
        write_report(_with_notes(node_map, notes if config else None), out)
    nodes = f", {len(maps)} nodes" if maps else ""
    say(console, f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB{nodes})")
    if figure is not None:
        write_figure(fleet_figure(maps) if maps else map_figure(node_map), figure)
        say(console, f"wrote {figure}")


class _Choice(TypedDict):
    """The arguments that ``read_map`` and ``read_fleet`` share."""

    functions: list[str] | None
    dominance: DominanceRule | None
    rules: AskedRules
    finer: bool
    schema_version: str


def _with_notes(node_map: NodeMap, notes: tuple[str, ...] | None = None) -> NodeMap:
    """Return a map with notes on its plan; without any, the note that it has none, if this may make a difference."""
    if notes is None:
        notes = () if node_map.is_complete else (_NO_PLAN,)
    return replace(node_map, notes=(*notes, *node_map.notes))


def _nothing_of_plan(plan: ConfigSpace, recorded: ConfigSpace, memory: Path) -> str:
    """Return the problem that a memory has no run of a plan, and what it has instead."""
    planned, found = ", ".join(plan.functions), ", ".join(recorded.functions)
    other = ", at other rates or in other numbers at once" if planned == found else ""
    return f"no configuration of its plan, {planned}, was run; memory {memory} has {found}{other}"


def _plan(path: Path) -> tuple[ConfigSpace | None, tuple[str, ...]]:
    """Return the space of a configuration's plan, or None and a note if it is too large to show."""
    space = DfaasPlanBuilder(with_scouted_rates(load_config(path))).build_space()
    if space.is_dense:
        return space, ()
    size = f"{space.n_configs:,} configurations, more than the {DENSE_LIMIT:,} that can be shown"
    return None, (f"the plan of {path.name} has {size}: this map spans what was recorded",)
