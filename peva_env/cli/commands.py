"""The command line: ``peva-env run | plan | doctor | init | config | export | memory | train | arena | ...``."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import gymnasium
import typer
from rich.console import Console
from rich.text import Text

from peva_env import __version__, make
from peva_env.campaign import run_checks
from peva_env.cli import arena as cli_arena
from peva_env.cli import export as cli_export
from peva_env.cli import maps as cli_maps
from peva_env.cli import memory as cli_memory
from peva_env.cli import report as cli_report
from peva_env.cli import train as cli_train
from peva_env.config import DfaasConfig, load_config, parse_config
from peva_env.console import (
    Progress,
    duration_text,
    make_console,
    print_disputes,
    print_map,
    print_plan,
    print_verdicts,
    say,
)
from peva_env.contracts import AgentWithDominance, EndStatus, SpaceBoundAgent
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError, PevaError
from peva_env.planning import DfaasPlanBuilder, agent_factory, campaign_loop, own_policy
from peva_env.system import FirstInterrupt, one_line

_STDERR = 2

EXIT_CODES = {
    EndStatus.COMPLETE: 0,
    EndStatus.STOPPED: 0,
    EndStatus.BUDGET: 3,
    EndStatus.INTERRUPTED: 130,
    EndStatus.FAILED: 1,
}

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)

app.command()(cli_export.export)
app.add_typer(cli_memory.app, name="memory")
app.command()(cli_train.train)
app.command()(cli_arena.arena)
app.command()(cli_maps.ask)
app.command()(cli_maps.diff)
app.command()(cli_report.report)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML or JSON file; without it the quick start on the local node.")
]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Decide which load test to run next on a FaaS node, run it with k6, and remember what happened."""
    if version:
        typer.echo(f"peva-env {__version__}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigOption = None,
    agent: Annotated[
        str, typer.Option(help="Who decides what is run next: an agent's name, a model's file, or module:Class.")
    ] = "cartesian",
    algorithm: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CLASS", help="A policy of your own instead, to choose among all that is unknown."),
    ] = None,
    budget_runs: Annotated[int | None, typer.Option(min=1, help="k6 runs to spend at most.")] = None,
    budget_seconds: Annotated[float | None, typer.Option(min=0.001, help="Machine seconds to spend at most.")] = None,
    dominance: Annotated[
        str | None,
        typer.Option(help="How verdicts are inferred: one_sided, within_sets or two_sided; else as the agent wants."),
    ] = None,
    repeats: Annotated[
        str | None, typer.Option(help="all iterations of each configuration, or adaptive: as many as decide it.")
    ] = None,
    early_abort: Annotated[
        bool | None,
        typer.Option("--early-abort", help="End a run as soon as it is overloaded whatever becomes of the rest."),
    ] = None,
    repetition: Annotated[int | None, typer.Option(min=1, help="Measure all again, as repetition N.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost; start nothing.")] = False,
) -> None:
    """Run a campaign, or go on with one that was stopped.

    Ends with 0 when the map is complete or the agent has nothing more to ask, 3 when the budget is spent, 130 when
    interrupted, 141 when nobody reads the output any more, 1 on an error, 2 on wrong usage.
    """
    console = make_console()
    settings = _with_options(_load(config), dominance=dominance, repeats=repeats, early_abort=early_abort)
    if algorithm and agent != "cartesian":
        raise ConfigError(f"--algorithm {algorithm} is an agent of its own: leave out --agent {agent}")
    make_agent = own_policy(algorithm) if algorithm else agent_factory(agent)
    if dry_run:
        print_plan(console, settings)
        return
    driver = make_agent(settings)
    if isinstance(driver, SpaceBoundAgent):  # before a node is started for nothing
        driver.require_space(DfaasPlanBuilder(settings).build_space())
    own_dominance = driver.dominance if isinstance(driver, AgentWithDominance) else "one_sided"
    settings = _with_options(settings, dominance=settings.dominance or own_dominance)
    interrupts = FirstInterrupt()
    env = gymnasium.make(
        "peva/FaasLive-v0",
        config=settings.model_dump(mode="json", exclude_unset=True),
        budget_runs=budget_runs,
        budget_seconds=budget_seconds,
    )
    options = {"repetition": repetition} if repetition else {"warm_start": True}
    status = _campaign(console, env, driver, settings, options, interrupts)
    raise typer.Exit(EXIT_CODES[status])


@app.command()
def plan(config: ConfigOption = None) -> None:
    """Count the configurations and quote the hours, before anything runs."""
    print_plan(make_console(), _load(config))


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Check k6, the node or the gateway, what measures it, and the paths; say what to do about each failure."""
    console = make_console()
    failed = False
    for check in run_checks(_load(config)):
        failed |= not check.passed
        mark = Text("ok    ", "green") if check.passed else Text("FAILED", "red")
        say(console, mark + Text(f" {check.name}: {check.detail}"))
    raise typer.Exit(1 if failed else 0)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("peva.yml")) -> None:
    """Write a commented sample configuration: the quick start."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(make.SAMPLE_CONFIG.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"{path} is there already; give another name") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {path}; now: peva-env run --config {path}")


@app.command(name="config")
def show_config(
    config: ConfigOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the file instead.")] = False,
) -> None:
    """Print the configuration as it is understood, with every default, or its JSON schema."""
    shown = DfaasConfig.model_json_schema() if schema else _load(config).model_dump(mode="json")
    typer.echo(json.dumps(shown, indent=2))


def main() -> None:
    """Run the command line; an error that a user can cause is one line on standard error."""
    _fill_standard_descriptors()
    sys.path.insert(0, "")  # so that module:Class finds the user's own modules, as with python -m
    try:
        app()
    except PevaError as error:
        _fail(str(error), 2 if isinstance(error, ConfigError) else 1)
    except OSError as error:  # a full disk, too many open files: the machine's trouble, not a fault of ours
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


def _fill_standard_descriptors() -> None:
    """Open what is closed of descriptors 0 to 2, as in a service: a socket in its place would not reach a child."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def _fail(problem: str, code: int) -> NoReturn:
    typer.echo(f"peva-env: {one_line(problem)}", err=True)
    sys.exit(code)


def _load(path: Path | None) -> DfaasConfig:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settings = load_config(path or make.SAMPLE_CONFIG)
    for warning in caught:
        typer.echo(f"peva-env: warning: {warning.message}", err=True)
    return settings


def _with_options(settings: DfaasConfig, **options: Any) -> DfaasConfig:
    """Return a configuration in which the options that were given stand for its keys of the same names.

    Raises:
        ConfigError: a value cannot be used.
    """
    given = {key: value for key, value in options.items() if value is not None}
    return parse_config({**settings.model_dump(mode="json", exclude_unset=True), **given}, where="options of run")


def _campaign(
    console: Console,
    env: gymnasium.Env[Any, Any],
    agent: Any,
    settings: DfaasConfig,
    options: dict[str, Any],
    interrupts: FirstInterrupt,
) -> EndStatus:
    """Run the campaign and show what it found, however it ended."""
    campaign: Any = env.unwrapped
    campaign.observer = progress = Progress(console, campaign, settings)
    status = EndStatus.INTERRUPTED
    try:
        with progress:
            status = campaign_loop()(env, agent, seed=settings.seed, options=options).status
    except KeyboardInterrupt:
        say(console, "interrupted: the run in progress is discarded; the same command goes on from here")
    finally:
        interrupts.hear_no_more()
        env.close()
        _print_result(console, campaign, progress, settings)
    return status


def _print_result(console: Console, campaign: PevaEnv, progress: Progress, settings: DfaasConfig) -> None:
    if not campaign.has_begun:
        return
    known = campaign.known
    print_verdicts(console, [*campaign.history, *progress.events], known.measured)
    print_map(console, known)
    print_disputes(console, known.disputes())
    measured = len(known.measured) - len(known.disputed())
    skipped = known.space.n_configs - known.n_unknown - measured
    took = duration_text(sum(event.cost_s for event in progress.events))
    say(
        console,
        f"\n{campaign.status}: {measured} configurations measured, {skipped} skipped, "
        f"{known.n_unknown} unknown; {len(progress.events)} runs took {took}",
    )
    for path in campaign.host.paths:
        say(console, f"  {path}")
    if not progress.events and not known.n_unknown:
        say(console, "nothing was left to run: --repetition measures all again, another output_dir begins anew")
    if campaign.history or progress.events:
        say(console, f"as a page: peva-env report --memory {settings.memory.db_path}")
