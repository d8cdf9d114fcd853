"""The command line of fleets: ``peva-env fleet run | status | stop | merge``."""

import math
from pathlib import Path
from typing import Annotated

import typer

from peva_env.cli.command_group import CommandGroup
from peva_env.cli.exit_codes import EXIT_CODES
from peva_env.cli.paths import path_argument
from peva_env.cli.ray_option import RayOption
from peva_env.console import make_console
from peva_env.contracts import EndStatus
from peva_env.errors import ConfigError
from peva_env.planning import fleet_command
from peva_env.system import FirstInterrupt

app = CommandGroup(no_args_is_help=True, help="Measure many nodes at once, with one memory, on a Ray cluster.")

FleetFile = Annotated[Path, path_argument(help="The file of the fleet: YAML or JSON.", metavar="FLEET")]


@app.command()
def run(
    file: FleetFile,
    ray: RayOption = None,
    budget_seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Machine time for all nodes together, shared by expected gain.")
    ] = None,
) -> None:
    """Measure the nodes of a file, or go on where a fleet was stopped or killed.

    Without --ray, Ray is started on this machine. Exit code 0 when all maps are complete, 3 when the budget is spent,
    130 when interrupted, 1 on an error of a node, 2 on wrong usage.
    """
    if budget_seconds is not None and not math.isfinite(budget_seconds):
        raise ConfigError(f"--budget-seconds {budget_seconds}: must be a finite number; without it there is no limit")
    console, interrupts = make_console(), FirstInterrupt()
    try:
        status = fleet_command("run")(file, console=console, ray=ray, budget_seconds=budget_seconds)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_CODES[EndStatus.INTERRUPTED]) from None
    finally:
        interrupts.hear_no_more()
    raise typer.Exit(EXIT_CODES[status])


@app.command()
def status(file: FleetFile) -> None:
    """Show the nodes of a fleet that runs on this machine, or as they were when it ended."""
    fleet_command("status")(file, console=make_console())


@app.command()
def stop(file: FleetFile) -> None:
    """End a fleet in order: runs in progress are finished and stored. Waits until it has ended."""
    fleet_command("stop")(file, console=make_console())


@app.command()
def merge(
    file: FleetFile,
    memories: Annotated[list[Path] | None, path_argument(help="Default: the nodes' memories on this machine.")] = None,
) -> None:
    """Merge the memories of nodes into that of the fleet, such as one that a lost machine could not send."""
    fleet_command("merge")(file, memories or [], console=make_console())
