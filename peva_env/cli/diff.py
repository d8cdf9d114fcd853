"""The command ``peva-env diff``: how the safe region of a node has changed."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from peva_env.cli.map_options import AsJson, Functions, Rule, RuleFile, Schema, names, require_one_node, rules
from peva_env.cli.paths import path_argument, path_option
from peva_env.config import load_config, require_level
from peva_env.console import make_console, print_deciding_runs, print_difference, print_notes, write
from peva_env.errors import ConfigError
from peva_env.maps import LEVEL, Change, DecidingRuns, MapDifference, NodeMap, compare, deciding_runs, read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION
from peva_env.planning import only_configurations
from peva_env.system import begins_with, output_file, write_text

LOST = 3
"""Exit code of ``diff`` if the safe region has shrunk by more than is tolerated."""

NOT_COVERED = 5
"""Exit code of ``diff`` if too little of the safe region could be compared."""

_LAST = (None, None)
_MARK = "# The runs that would decide what `peva-env diff` left open."


def diff(
    before: Annotated[Path, path_argument(metavar="BEFORE", help="The memory before the change.")],
    after: Annotated[Path, path_argument(metavar="AFTER", help="The memory after the change, or the same file.")],
    functions: Functions = None,
    context: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="BEFORE AFTER",
            help="Names of nodes, or context hashes or prefixes, before and after; default: measured last.",
        ),
    ] = None,
    repetition: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="BEFORE AFTER", help="Repetitions before and after; default: the last."),
    ] = None,
    tolerate: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of the OK configurations that may be lost without exit code 3."),
    ] = 0.0,
    coverage: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of the OK configurations to compare; with fewer, exit code 5."),
    ] = 90.0,
    level: Annotated[
        float, typer.Option(help="Confidence that both verdicts must have for a configuration to be lost or gained.")
    ] = LEVEL,
    plan: Annotated[
        Path | None,
        path_option("--plan", help="Write the runs that would decide the rest as a configuration for peva-env run."),
    ] = None,
    config: Annotated[
        Path | None, path_option("--config", "-c", help="With --plan: the configuration of the campaign of AFTER.")
    ] = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Compare the safe region of a node before and after a change: the configurations lost, gained and undecided.

    A configuration is lost or gained only if the runs of both sides exclude chance. Exit code 3 if more than the
    tolerated share was lost; else 5 if too little of the safe region was compared; else 0.
    """
    asked = rules(rule, rule_file)
    require_level("--level", level)
    if (plan is None) != (config is None):
        raise ConfigError("--plan FILE and --config FILE go together: a memory does not hold its configuration")
    target = plan and output_file(
        "--plan",
        plan,
        what="a plan of diff",
        is_own=begins_with(_MARK.encode()),
        inputs=[path for path in (before, after, config) if path],
    )
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
    if context is None:
        require_one_node(was, became)
    difference = compare(was, became, level=level)
    deciding = deciding_runs(difference)
    if target and config and deciding.configs:
        _write_plan(target, config, deciding, after)
    if as_json:
        write(json.dumps(difference_data(was, became, difference, deciding), indent=2))
    else:
        console = make_console()
        print_difference(console, *_shown(before, was, after, became), difference)
        print_deciding_runs(console, difference, deciding, None if plan is None else f"{plan}", became.repetition)
        print_notes(console, (*was.notes, *became.notes))
    raise typer.Exit(_exit_code(difference, tolerate, coverage))


def _shown(before: Path, was: NodeMap, after: Path, became: NodeMap) -> tuple[str, str]:
    """Return the names of both maps: their files, and their nodes if they are not the same."""
    if was.node == became.node:
        return str(before), str(after)
    return f"{before} ({was.node})", f"{after} ({became.node})"


def _exit_code(difference: MapDifference, tolerated_pct: float, coverage_pct: float) -> int:
    if 100 * difference.lost_share > tolerated_pct:
        return LOST
    return NOT_COVERED if 100 * difference.coverage < coverage_pct else 0


def _write_plan(target: Path, config: Path, deciding: DecidingRuns, memory: Path) -> None:
    narrowed = only_configurations(
        load_config(config.resolve()), deciding.configs, iterations=deciding.iterations, memory=memory.resolve()
    )
    data = narrowed.model_dump(mode="json", exclude_unset=True)
    write_text(target, f"{_MARK}\n{yaml.safe_dump(data, sort_keys=False)}".rstrip())


def _require_two_maps(was: NodeMap, became: NodeMap) -> None:
    if (was.memory, was.context_hash, was.repetition) == (became.memory, became.context_hash, became.repetition):
        raise ConfigError(
            f"{was.memory} twice, and both times context {was.context_hash}, repetition {was.repetition}: "
            "choose two with --context or --repetition"
        )


def difference_data(was: NodeMap, became: NodeMap, difference: MapDifference, deciding: DecidingRuns) -> dict[str, Any]:
    """Return a difference as plain data: counts, each changed or undecided configuration, and what would decide it."""
    about = {
        when: {"memory": one.memory, "node": one.node, "context_hash": one.context_hash, "repetition": one.repetition}
        for when, one in (("before", was), ("after", became))
    }
    return {
        **about,
        "functions": difference.functions,
        "level": difference.level,
        "n_known": difference.n_known,
        "n_ok": difference.n_ok,
        "n_overloaded": difference.n_overloaded,
        "n_lost": len(difference.lost),
        "n_gained": len(difference.gained),
        "n_undecided": len(difference.undecided),
        "n_unknown": difference.n_unknown,
        "lost_share": difference.lost_share,
        "coverage": difference.coverage,
        "lowest_lost": list(difference.lowest_lost),
        "highest_gained": list(difference.highest_gained),
        "lost": list(_changes(difference.proofs(difference.lost))),
        "gained": list(_changes(difference.proofs(difference.gained))),
        "undecided": list(_changes(difference.proofs(difference.undecided))),
        "deciding_runs": asdict(deciding),
        "left_out": difference.left_out,
        "changes": difference.changes,
        "notes": [*was.notes, *became.notes],
    }


def _changes(found: Iterator[Change]) -> Iterator[dict[str, Any]]:
    for change in found:
        yield asdict(change)
