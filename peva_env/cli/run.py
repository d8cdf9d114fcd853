"""``peva-env run``: the agent, the budgets and the options of one campaign, and a dry run of it."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from peva_env.campaign import not_idle, planned, run_checks
from peva_env.cli import scout as cli_scout
from peva_env.cli import twin as cli_twin
from peva_env.cli.campaign import CampaignRun, campaigns
from peva_env.cli.configuration import ConfigOption, print_checks, warn_of_plan
from peva_env.cli.exit_codes import EXIT_CODES
from peva_env.cli.paths import path_option
from peva_env.cli.services import UrlOption, asked_settings
from peva_env.config import DfaasConfig, parse_config
from peva_env.console import make_console, print_plan, say
from peva_env.contracts import AgentWithDominance, SpaceBoundAgent
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.memory import MAX_REPETITION
from peva_env.planning import REFINING_AGENT, DfaasPlanBuilder, Refinement, agent_factory, own_policy
from peva_env.system import FirstInterrupt

_DEFAULT_AGENT = "cartesian"


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
