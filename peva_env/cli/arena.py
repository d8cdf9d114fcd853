"""The command line of comparisons: ``peva-env arena``."""

from pathlib import Path
from typing import Annotated

import typer

from peva_env.cli.rates import simulated_rates
from peva_env.console import make_console, say
from peva_env.errors import ConfigError
from peva_env.planning import arena as find_arena
from peva_env.system import FirstInterrupt

_INTERRUPTED = 130

Names = list[str] | None


def arena(
    agents: Annotated[
        str, typer.Option(help="Names, model files or module:Class, with commas between; the baselines always play.")
    ] = "",
    data: Annotated[
        Names, typer.Option(help="A folder of core Parquet, or the name of a dataset; may be given several times.")
    ] = None,
    sim: Annotated[
        str | None, typer.Option(metavar="random:K", help="Play on K simulated nodes, one episode each.")
    ] = None,
    scenarios: Annotated[
        Names, typer.Option(help="With --data: maps, by name or how it begins; may be given several times.")
    ] = None,
    min_recorded: Annotated[
        int | None, typer.Option(help="With --data: only maps with at least so many recorded configurations.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="With --data: episodes of each map (20).")] = None,
    rates: Annotated[
        Names, typer.Option(metavar="NAME=RATES", help="With --sim: a=0,20,40 or a=0:200:10; once a function.")
    ] = None,
    noise: Annotated[float | None, typer.Option(help="With --sim: noise of a run, as a share (0.03).")] = None,
    prior: Annotated[
        Names, typer.Option(help="A recording that agents may learn from beforehand; may be given several times.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(help="k6 runs that each configuration takes, the majority deciding (3).")
    ] = None,
    budgets: Annotated[
        str, typer.Option(help="After how many configurations maps are compared.")
    ] = "12,25,50,100,200,400",
    max_runs: Annotated[
        int | None,
        typer.Option(
            help="Runs of an episode at most, but for the cartesian agent's; until the map is complete without."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to; an arena that was stopped goes on in it.")] = Path(
        "peva-arena"
    ),
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes that play at once; as many as cores.")] = None,
) -> None:
    """Let agents play the same episodes and compare them with the baselines.

    Writes a line an episode, tables and a figure into a folder. The same command goes on where an arena was stopped.
    Ends with 130 when interrupted, 1 on an error, 2 on wrong usage.
    """
    given = {
        "agents": [name.strip() for name in agents.split(",") if name.strip()],
        "data": data,
        "sim": sim,
        "scenarios": scenarios,
        "min_recorded": min_recorded,
        "seeds": seeds,
        "rates_rps": simulated_rates("random", rates),
        "noise": noise,
        "prior": prior,
        "iterations": iterations,
        "budgets": _numbers(budgets),
        "max_runs": max_runs,
    }
    console, interrupts = make_console(), FirstInterrupt()
    settings = {name: value for name, value in given.items() if value is not None}
    try:
        find_arena()(settings, console=console, out=out, jobs=jobs)
    except KeyboardInterrupt:
        say(console, "interrupted: what was played is kept; the same command goes on from here")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        interrupts.hear_no_more()


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--budgets {text!r}: must be numbers of runs, as in 12,25,50") from None
