"""The command line of comparisons: ``peva-env arena``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from peva_env.cli.model_options import options_of
from peva_env.cli.paths import path_option
from peva_env.cli.ray_option import RayOption
from peva_env.config.offline import ArenaConfig
from peva_env.console import make_console, say
from peva_env.planning import arena as find_arena
from peva_env.system import FirstInterrupt

_INTERRUPTED = 130


@options_of(ArenaConfig)
def arena(
    settings: dict[str, Any],
    out: Annotated[Path, path_option(help="Folder to write to; the same folder resumes a stopped arena.")] = Path(
        "peva-arena"
    ),
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of parallel processes (default: one per core).")
    ] = None,
    ray: RayOption = None,
) -> None:
    """Let agents play the same episodes and compare them with the baselines.

    Writes a line an episode, tables and a figure into a folder. The same command goes on where an arena was stopped.
    Ends with 130 when interrupted, 1 on an error, 2 on wrong usage.
    """
    console, interrupts = make_console(), FirstInterrupt()
    try:
        find_arena()(settings, console=console, out=out, jobs=jobs, ray=ray)
    except KeyboardInterrupt:
        say(console, "interrupted: what was played is kept; the same command goes on from here")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        interrupts.hear_no_more()
