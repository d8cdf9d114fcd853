"""The command ``peva-env scout``: where each function breaks, found in a few minutes by stepped runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from peva_env.campaign import Scouting, scouting_rates, with_known_rates
from peva_env.campaign import scout as scout_node
from peva_env.cli.configuration import ConfigOption
from peva_env.cli.paths import path_option
from peva_env.cli.services import UrlOption, asked_settings
from peva_env.config import DfaasConfig, parse_config
from peva_env.console import ScoutProgress, make_console, print_notes, print_steps, say
from peva_env.memory import memory_files
from peva_env.planning import brackets
from peva_env.report import figure_file, scouting_curve, write_figure
from peva_env.system import FirstInterrupt

_OUT_OF_TIME = 3


def scout(
    config: ConfigOption = None,
    url: UrlOption = None,
    max_rate: Annotated[int | None, typer.Option(min=1, help="Highest rate of a function; default 1000.")] = None,
    step: Annotated[str | None, typer.Option(metavar="DURATION", help="Length of a step; default 5s.")] = None,
    max_time: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Longest time of all steps; default 10m.")
    ] = None,
    figure: Annotated[
        Path | None, path_option(help="Draw load against success and latency into this file, .svg or .png.")
    ] = None,
) -> None:
    """Find where each function breaks, alone and all together, by steps of rising load; a few minutes.

    The steps are stored in the memory as evidence; they are no verdicts. With rate_strategy type auto, the campaign
    takes its rates from them.

    Exit code 0 when all rays were scouted, 3 when the time was up before, 130 when interrupted, 1 on an error.
    """
    settings = _bounded(asked_settings(config, url), max_rate=max_rate, step=step, max_time=max_time)
    if figure is not None:
        figure_file(figure, inputs=memory_files(Path(settings.memory.db_path)))  # before the node is started
    console = make_console()
    found = scouted(console, settings)
    if figure is not None and not brackets(found.events):
        say(console, f"no step is valid: {figure} is not drawn")
    elif figure is not None:
        write_figure(scouting_curve(found.events), figure)
        say(console, f"wrote {figure}")
    if not found.is_complete:
        raise typer.Exit(_OUT_OF_TIME)


def scouted(console: Console, settings: DfaasConfig) -> Scouting:
    """Scout the node of a configuration, and print what was found, however it ended.

    Raises:
        PevaError: see ``peva_env.campaign.scout``.
    """
    progress = ScoutProgress(console)
    FirstInterrupt()  # signals often come in twos: from timeout, and once more through uv
    try:
        found = scout_node(settings, progress)
    except KeyboardInterrupt:
        say(console, "interrupted: the step in progress is discarded; the same command scouts anew")
        raise
    finally:
        print_steps(console, progress.events)
        if progress.events:
            say(console, f"\n{len(progress.events)} steps are stored in {settings.memory.db_path}")
    print_notes(console, _notes(found, settings))
    return found


def ready_to_run(console: Console, settings: DfaasConfig) -> DfaasConfig:
    """Return a configuration whose rates are known; scout first if they have to be found.

    Raises:
        PevaError: the scouting failed or ran out of time, or a function bears no load.
    """
    return with_known_rates(settings, lambda: scouted(console, settings))


def _notes(found: Scouting, settings: DfaasConfig) -> list[str]:
    notes = []
    if not found.is_complete:
        notes.append("the time was up before all steps: give a longer --max-time")
    elif not found.decides and settings.needs_scouting:
        notes.append(
            "a campaign of this context has begun: its rates stay those of an earlier scouting; another output_dir "
            "begins anew"
        )
    has_rules_on_use = settings.overload != settings.overload.without_use()
    if has_rules_on_use and all(event.node.cpu_pct is None for event in found.events):
        notes.append("CPU and RAM were not measured: by rules on them the limits may be lower")
    return notes


def _bounded(settings: DfaasConfig, **options: int | str | None) -> DfaasConfig:
    """Return a configuration with other bounds of its scouting, under ``type: auto``."""
    given = {key: value for key, value in options.items() if value is not None}
    if not given:
        return settings
    strategy = scouting_rates(settings).model_dump() | given
    data = settings.model_dump(mode="json", exclude_unset=True) | {"rate_strategy": strategy}
    return parse_config(data, where="options of scout")
