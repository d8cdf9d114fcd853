"""The command line ``peva-env``: its commands put together, the commands about one campaign, and ``main``."""

import math
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from peva_env import __version__
from peva_env.campaign import not_idle, planned, run_checks
from peva_env.cli import arena as cli_arena
from peva_env.cli import ask as cli_ask
from peva_env.cli import configuration as cli_configuration
from peva_env.cli import diff as cli_diff
from peva_env.cli import export as cli_export
from peva_env.cli import fleet as cli_fleet
from peva_env.cli import limits as cli_limits
from peva_env.cli import memory as cli_memory
from peva_env.cli import recheck as cli_recheck
from peva_env.cli import report as cli_report
from peva_env.cli import scout as cli_scout
from peva_env.cli import slo as cli_slo
from peva_env.cli import train as cli_train
from peva_env.cli import trend as cli_trend
from peva_env.cli import twin as cli_twin
from peva_env.cli.campaign import CampaignRun, campaigns
from peva_env.cli.configuration import ConfigOption, print_checks, warn_of_plan
from peva_env.cli.exit_codes import EXIT_CODES
from peva_env.cli.paths import path_option
from peva_env.cli.services import UrlOption, asked_settings
from peva_env.config import DfaasConfig, parse_config
from peva_env.console import complain, guard_output, make_console, print_plan, say, tell_warnings, write
from peva_env.contracts import AgentWithDominance, SpaceBoundAgent
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError, PevaError
from peva_env.memory import MAX_REPETITION
from peva_env.planning import REFINING_AGENT, DfaasPlanBuilder, Refinement, agent_factory, own_policy
from peva_env.system import FirstInterrupt

_STDERR = 2

_SIZE = re.compile("[5-9]|[1-9][0-9]{1,3}")
"""Columns or lines of a terminal that can show an error; Rich fails in one that is too large for its memory."""

_DEFAULT_AGENT = "cartesian"

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Decide which load test to run next on a FaaS node, run it with k6, and remember what happened."""
    if version:
        write(f"peva-env {__version__}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigOption = None,
    url: UrlOption = None,
    agent: Annotated[
        str, typer.Option(help="The agent that chooses what is measured next: a name, a model file, or module:Class.")
    ] = _DEFAULT_AGENT,
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CLASS", help="Your own policy, instead of --agent; it chooses among unknown configurations."
        ),
    ] = None,
    twin: Annotated[
        Path | None,
        path_option(
            help="Measure the limits first that this twin of the node predicts (peva-env twin), without --agent."
        ),
    ] = None,
    budget_runs: Annotated[int | None, typer.Option(min=1, help="Stop after this number of k6 runs.")] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Stop after this many seconds of cooldown and load.")
    ] = None,
    dominance: Annotated[
        str | None,
        typer.Option(help="How verdicts are inferred: one_sided, within_sets or two_sided; default: the agent's."),
    ] = None,
    repeats: Annotated[
        str | None,
        typer.Option(help="all: run every iteration; adaptive: only as many as decide the verdict."),
    ] = None,
    early_abort: Annotated[
        bool | None,
        typer.Option("--early-abort", help="End a run as soon as it is certainly OVERLOADED."),
    ] = None,
    stop_early: Annotated[
        str | None,
        typer.Option(help="sequential: end a run as soon as a sequential test decides its verdict, OK or OVERLOADED."),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="When the map is complete, measure each limit to this precision: 5%."),
    ] = None,
    confirm: Annotated[
        float | None,
        typer.Option(help="Run the map's certificate again until its verdicts have this confidence, such as 0.95."),
    ] = None,
    repetition: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_REPETITION, help="Start or continue repetition N: measure everything again."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the plan and its cost, and check all that a run needs; start no node."),
    ] = False,
) -> None:
    """Run a campaign, or continue one that was stopped.

    Exit code 0 when the map is complete or the agent stops, 3 when the budget is spent, 130 when interrupted, 141 when
    the output pipe is closed, 1 on an error, 2 on wrong usage.
    """
    console = make_console()
    settings = _with_options(
        asked_settings(config, url),
        dominance=dominance,
        repeats=repeats,
        early_abort=early_abort,
        stop_early=stop_early,
        refine=refine,
        confirm=confirm,
    )
    make_agent = _chosen_agent(agent, algorithm, twin)
    if budget_seconds is not None and not math.isfinite(budget_seconds):
        raise ConfigError(f"--budget-seconds {budget_seconds}: must be a finite number; without it there is no limit")
    asked = planned(settings) if dry_run else cli_scout.ready_to_run(console, settings)
    if asked.needs_scouting:
        _try_run(console, asked)
        return
    if asked.refine_share is not None:  # before hours of campaign that nothing could refine
        Refinement(DfaasPlanBuilder(asked).build_space(), asked.refine_share)
    settings = asked.model_copy(update={"refine": None})
    driver = make_agent(settings)
    settings = _suited_to(driver, settings)
    busy = None
    if not dry_run:  # whose checks say the same
        warn_of_plan(settings)
        busy = not_idle()
    interrupts = FirstInterrupt()
    first = CampaignRun(
        console,
        settings,
        driver,
        budget_runs=budget_runs,
        budget_seconds=budget_seconds,
        first_line=f"this machine {busy}" if busy else None,
    )
    options = {"repetition": repetition} if repetition else {"warm_start": True}
    if dry_run:
        _try_run(console, settings.model_copy(update={"refine": asked.refine}))
        return
    then = partial(_refining, console, asked) if asked.refine else None
    raise typer.Exit(EXIT_CODES[campaigns(console, first, options, interrupts, then)])


def _try_run(console: Console, settings: DfaasConfig) -> None:
    """Print the plan of a campaign, and the checks that it would begin with, as far as they start no node.

    Raises:
        typer.Exit: a check failed.
    """
    print_plan(console, settings)
    if not print_checks(console, run_checks(settings, starts_node=False)):
        raise typer.Exit(1)


def _chosen_agent(agent: str, algorithm: str | None, twin: Path | None) -> Callable[[DfaasConfig], Any]:
    """Return the factory of the agent that the options name.

    Raises:
        ConfigError: they name two, or one that there is not.
        PolicyError: the agent cannot be loaded.
    """
    if algorithm == "":
        raise ConfigError("--algorithm '': must be module:Class, for example my_policies:Greedy")
    if algorithm and agent != _DEFAULT_AGENT:
        raise ConfigError(f"--algorithm {algorithm} is an agent of its own: leave out --agent {agent}")
    if twin and (algorithm or agent != _DEFAULT_AGENT):
        other = f"--algorithm {algorithm}" if algorithm else f"--agent {agent}"
        raise ConfigError(f"--twin {twin} has an agent of its own: leave out {other}")
    if twin:
        return partial(cli_twin.agent_of, twin)
    return own_policy(algorithm) if algorithm else agent_factory(agent)


def _refining(console: Console, settings: DfaasConfig, complete: PevaEnv) -> CampaignRun | None:
    """Return the campaign that refines a complete map with the rest of the budget; None if nothing is left of it."""
    budget = complete.budget
    left_runs = None if budget.runs is None else budget.runs - budget.spent_runs
    left_s = None if budget.seconds is None else budget.seconds - budget.spent_s
    if budget.exhausted:
        say(console, f"the budget is spent: the limits are not refined to {settings.refine}")
        return None
    say(console, f"\nrefining each limit of this map to {settings.refine}")
    agent = agent_factory(REFINING_AGENT)(settings)
    return CampaignRun(console, settings, agent, budget_runs=left_runs, budget_seconds=left_s)


app.command()(cli_scout.scout)
app.command()(cli_configuration.plan)
app.command()(cli_configuration.doctor)
app.command()(cli_configuration.init)
app.command(name="config")(cli_configuration.show_config)
app.command()(cli_export.export)
app.add_typer(cli_memory.app, name="memory")
app.add_typer(cli_fleet.app, name="fleet")
app.command()(cli_train.train)
app.command()(cli_arena.arena)
app.command()(cli_ask.ask)
app.command()(cli_slo.slo)
app.command()(cli_limits.limits)
app.command()(cli_twin.twin)
app.command()(cli_diff.diff)
app.command()(cli_trend.trend)
app.command()(cli_recheck.recheck)
app.command()(cli_report.report)


def main() -> None:
    """Run the command line; an error that a user can cause is one line on standard error."""
    _fill_standard_descriptors()
    guard_output()
    tell_warnings()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files: a backend of windows or of Jupyter need not load here
    for name in ("COLUMNS", "LINES"):  # some terminals without a size say 0: Rich would print nothing at all
        if not _SIZE.fullmatch(os.environ.get(name, "")):
            os.environ.pop(name, None)
    sys.path.append("")  # module:Class finds the user's own modules; last, so that none of them hides an installed one
    try:
        _require_text()
        app()
    except PevaError as error:
        _fail(str(error), 2 if isinstance(error, ConfigError) else 1)
    except OSError as error:  # a full disk, too many open files: the machine's trouble, not a fault of ours
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


def _fill_standard_descriptors() -> None:
    """Open /dev/null for closed descriptors 0 to 2, as in a service: else a socket could get such a number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def _require_text() -> None:
    """Check that the locale's encoding can decode all arguments and the working folder: DuckDB takes text alone.

    Raises:
        ConfigError: one of them is not text, or the working folder was removed.
    """
    texts = [("argument", argument) for argument in sys.argv[1:]]
    try:
        texts.append(("working folder", str(Path.cwd())))
    except FileNotFoundError:
        raise ConfigError("the working folder was removed; change to another one") from None
    for what, text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"{what} {text!r}: is not text in {sys.getfilesystemencoding()}, the encoding of this locale; "
                "write it in that encoding, or set PYTHONUTF8=1"
            ) from None


def _fail(problem: str, code: int) -> NoReturn:
    complain(problem)
    sys.exit(code)


def _with_options(settings: DfaasConfig, **options: Any) -> DfaasConfig:
    """Return a configuration with the given options in place of its keys of the same names.

    Raises:
        ConfigError: a value cannot be used.
    """
    given = {key: value for key, value in options.items() if value is not None}
    return parse_config({**settings.model_dump(mode="json", exclude_unset=True), **given}, where="options of run")


def _suited_to(agent: Any, settings: DfaasConfig) -> DfaasConfig:
    """Return the configuration with the dominance of the agent, unless it has its own.

    Raises:
        PolicyError: the agent is not for the configuration's space.
    """
    if isinstance(agent, SpaceBoundAgent):  # before a node is started for nothing
        agent.require_space(DfaasPlanBuilder(settings).build_space())
    own_dominance = agent.dominance if isinstance(agent, AgentWithDominance) else "one_sided"
    return _with_options(settings, dominance=settings.dominance or own_dominance)
