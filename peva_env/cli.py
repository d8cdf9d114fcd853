"""The command line: ``peva-env run | plan | doctor | init | config``."""

import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import typer
from rich.console import Console
from rich.text import Text

from peva_env import __version__, make
from peva_env.config import DfaasConfig, load_config
from peva_env.console import Progress, config_text, duration_text, make_console, print_map, print_verdicts
from peva_env.contracts import EndStatus
from peva_env.doctor import run_checks
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError, PevaError
from peva_env.planning.plan_builder import DfaasPlanBuilder, PlanEstimate

EXIT_CODES = {EndStatus.COMPLETE: 0, EndStatus.BUDGET: 3, EndStatus.INTERRUPTED: 130, EndStatus.FAILED: 1}

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)

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
    agent: Annotated[str, typer.Option(help="Who decides what is run next.")] = "cartesian",
    budget_runs: Annotated[int | None, typer.Option(min=1, help="k6 runs to spend at most.")] = None,
    budget_seconds: Annotated[float | None, typer.Option(min=0.001, help="Machine seconds to spend at most.")] = None,
    repetition: Annotated[int | None, typer.Option(min=1, help="Measure all again, as repetition N.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost; start nothing.")] = False,
) -> None:
    """Run a campaign, or go on with one that was stopped.

    Ends with 0 when the map is complete, 3 when the budget is spent, 130 when interrupted, 1 on an error, 2 on wrong
    usage.
    """
    console = make_console()
    settings = _load(config)
    make_agent = _agent_factory(agent)
    if dry_run:
        _print_plan(console, settings)
        return
    env = gymnasium.make(
        "peva/FaasLive-v0",
        config=settings.model_dump(mode="json", exclude_unset=True),
        budget_runs=budget_runs,
        budget_seconds=budget_seconds,
    )
    options = {"repetition": repetition} if repetition else {"warm_start": True}
    with _termination_as_interrupt():
        status = _campaign(console, env, make_agent(settings), settings, options)
    raise typer.Exit(EXIT_CODES[status])


@app.command()
def plan(config: ConfigOption = None) -> None:
    """Count the configurations and quote the hours, before anything runs."""
    _print_plan(make_console(), _load(config))


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Check k6, the node and the paths, and say what to do about each failure."""
    console = make_console()
    failed = False
    for check in run_checks(_load(config)):
        failed |= not check.passed
        mark = Text("ok    ", "green") if check.passed else Text("FAILED", "red")
        console.print(mark + Text(f" {check.name}: {check.detail}"), soft_wrap=True, highlight=False)
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
    sys.path.insert(0, "")  # so that module:Class finds the user's own modules, as with python -m
    try:
        app()
    except PevaError as error:
        typer.echo(f"peva-env: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


def _load(path: Path | None) -> DfaasConfig:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settings = load_config(path or make.SAMPLE_CONFIG)
    for warning in caught:
        typer.echo(f"peva-env: warning: {warning.message}", err=True)
    return settings


def _agent_factory(name: str) -> Callable[[DfaasConfig], Any]:
    found = {entry.name: entry for entry in entry_points(group="peva_env.agents")}
    if name not in found:
        raise ConfigError(f"--agent {name!r}: there is no such agent; there are: {', '.join(sorted(found))}")
    factory: Callable[[DfaasConfig], Any] = found[name].load()
    return factory


def _loop() -> Callable[..., Any]:
    # Found by name like the agents: peva_env itself never imports what drives it.
    loop: EntryPoint = entry_points(group="peva_env.loops")["campaign"]
    run_campaign: Callable[..., Any] = loop.load()
    return run_campaign


def _campaign(
    console: Console, env: gymnasium.Env[Any, Any], agent: Any, settings: DfaasConfig, options: dict[str, Any]
) -> EndStatus:
    """Run the campaign and show what it found, however it ended."""
    campaign: Any = env.unwrapped
    campaign.observer = progress = Progress(console, campaign, settings)
    status = EndStatus.INTERRUPTED
    try:
        with progress:
            status = _loop()(env, agent, options=options).status
    except KeyboardInterrupt:
        console.print("interrupted: the run in progress is discarded; the same command goes on from here")
    finally:
        with _undisturbed():
            env.close()
            _print_result(console, campaign, progress)
    return status


def _print_result(console: Console, campaign: PevaEnv, progress: Progress) -> None:
    if not campaign.has_begun:
        return
    print_verdicts(console, [*campaign.history, *progress.events])
    print_map(console, campaign.known)
    known = campaign.known
    skipped = known.space.n_configs - known.n_unknown - len(known.measured)
    took = duration_text(sum(event.cost_s for event in progress.events))
    console.print(
        f"{campaign.status}: {len(known.measured)} configurations measured, {skipped} skipped, "
        f"{known.n_unknown} unknown; {len(progress.events)} runs took {took}",
        soft_wrap=True,
        highlight=False,
    )
    for path in campaign.host.paths:
        console.print(f"  {path}", soft_wrap=True, highlight=False)


def _print_plan(console: Console, settings: DfaasConfig) -> None:
    planner = DfaasPlanBuilder(settings)
    space, estimate = planner.build_space(), planner.estimate()
    for name, rates in zip(space.functions, space.rates_rps, strict=True):
        console.print(f"  {name}: {len(rates)} rates, {rates[0]} to {rates[-1]} rps", highlight=False)
    _print_estimate(console, estimate, settings)
    first = [config_text(one) for one in islice(space, 5)]
    console.print(f"first: {', '.join(first)}{', ...' if estimate.n_configs > len(first) else ''}", highlight=False)


def _print_estimate(console: Console, estimate: PlanEstimate, settings: DfaasConfig) -> None:
    console.print(
        f"{estimate.n_configs:,} configurations of {settings.combinations.min_functions} to "
        f"{settings.combinations.max_functions - 1} functions x {settings.iterations} iterations "
        f"= {estimate.n_runs:,} runs of {settings.duration}",
        soft_wrap=True,
        highlight=False,
    )
    for part, seconds in (("load", estimate.load_s), ("cooldown", estimate.cooldown_s), ("total", estimate.total_s)):
        console.print(f"  {part:9}{seconds / 3600:>14,.2f} h  ({duration_text(seconds)})", highlight=False)
    console.print("at most, if nothing is skipped; a node that is slow to come to rest takes longer", highlight=False)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM, and a terminal that closes, like Ctrl-C."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let the node be stopped and the memory be closed, however often Ctrl-C is pressed."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
