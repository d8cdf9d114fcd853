"""The command ``peva-env twin``: a simulated node fitted to what was measured; and the agent that trusts it first."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

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
from peva_env.config import DfaasConfig
from peva_env.console import make_console, print_notes, print_twin, say, write
from peva_env.errors import ConfigError
from peva_env.maps import predicted_runs, read_map, twin_capacity, twin_of
from peva_env.memory import DEFAULT_SCHEMA_VERSION, RECHECK_AGENT, memory_files
from peva_env.memory.tensors import TensorCache
from peva_env.planning import DfaasPlanBuilder, agent_factory
from peva_env.system import output_file, write_text

_MOST_CORES = 127
"""One core more is the most that a simulated node can have."""


def twin(
    out: Annotated[Path, path_option(help="The JSON file to write; an earlier twin is replaced.")],
    memory: Annotated[Path, path_option(help="The memory to fit; a campaign may be running on it.")] = DEFAULT_MEMORY,
    cores: Annotated[
        int | None,
        typer.Option(min=1, max=_MOST_CORES, help="Cores of the node; default: as recorded, else those that fit best."),
    ] = None,
    context: Context = None,
    repetition: Repetition = None,
    functions: Functions = None,
    rule: Rule = None,
    rule_file: RuleFile = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Fit a simulated node to what was measured, and say how well it fits.

    The file is the argument node of peva/FaasSim-v1. The rules decide which verdicts are compared.
    """
    target = output_file("--out", out, what="a simulated node", is_own=_is_node, inputs=memory_files(memory))
    node_map = read_map(
        memory,
        context=context,
        repetition=repetition,
        functions=names(functions),
        at_least="within_sets",
        rules=rules(rule, rule_file),
        schema_version=schema_version,
    )
    found = twin_of(node_map, cores)
    own = int(found.node["cores"])
    capacities = {n: twin_capacity(node_map, {**found.node, "cores": n}) for n in (own, own + 1)}
    write_text(target, json.dumps(found.node, indent=2))
    if as_json:
        notes = {"notes": node_map.notes, "with_cores": {n: asdict(one) for n, one in capacities.items()}}
        write(json.dumps({**asdict(found), **notes}, indent=2))
        return
    console = make_console()
    print_twin(console, node_map, found, capacities)
    print_notes(console, node_map.notes)
    say(console, f"wrote {out}")


def agent_of(path: Path, settings: DfaasConfig) -> Any:
    """Return the agent that measures first what a twin predicts, and goes on until the map is complete.

    Raises:
        ConfigError: the file is no simulated node or lacks a function, or the space is too large to list.
    """
    space = DfaasPlanBuilder(settings).build_space()
    if path.suffix != ".json":
        raise ConfigError(f"--twin {path}: must be a .json file that peva-env twin has written")
    if not space.is_dense:
        raise ConfigError(f"--twin {path}: {space.n_configs:,} configurations are too many; give fewer rates")
    predicted = TensorCache.of(predicted_runs(str(path), settings, space))
    make_agent: Callable[..., Any] = agent_factory(RECHECK_AGENT)
    return make_agent(settings, before=predicted, completes=True, name="twin")


def _is_node(path: Path) -> bool:
    """Tell whether a file is an earlier twin."""
    try:
        return bool(
            {"cores", "ram_mib", "idle_cpu_pct", "functions"} == json.loads(path.read_text(encoding="utf-8")).keys()
        )
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
