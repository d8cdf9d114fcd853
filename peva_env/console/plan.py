"""Printing the plan of a campaign and its cost."""

from itertools import islice

from rich.console import Console

from peva_env.config import DfaasConfig
from peva_env.console.text import config_text, duration_text, say
from peva_env.planning import DfaasPlanBuilder, PlanEstimate, with_placeholder_rates

_SHOWN = 5
_HOUR = 3600
_MANY_HOURS = 1e9


def print_plan(console: Console, config: DfaasConfig) -> None:
    """Print the rates of each function, the number of configurations and runs, the hours, and what comes first."""
    planner = DfaasPlanBuilder(with_placeholder_rates(config))
    space, estimate = planner.build_space(), planner.estimate()
    unknown = {one.name for one in config.functions if config.needs_scouting and one.rate_strategy is None}
    for name, rates in zip(space.functions, space.rates_rps, strict=True):
        span = f"{rates[0]} to {rates[-1]} rps" if len(rates) > 1 else f"{rates[0]} rps"
        span = "found by a scouting before the first run" if name in unknown else span
        say(console, f"  {name}: {len(rates)} rate{'s' if len(rates) > 1 else ''}, {span}")
    _print_estimate(console, estimate, config)
    if config.refine:
        say(console, f"then finer rates along the frontier, until each limit is known to {config.refine}")
    if unknown:
        return
    first = ", ".join(config_text(one) for one in islice(planner.build_chosen() or space, _SHOWN))
    say(console, f"first: {first}{', ...' if estimate.n_configs > _SHOWN else ''}")


def _print_estimate(console: Console, estimate: PlanEstimate, config: DfaasConfig) -> None:
    say(
        console,
        f"{estimate.n_configs:,} configurations of {config.combinations.min_functions} to "
        f"{config.combinations.max_functions - 1} functions x {config.iterations} iterations "
        f"= {estimate.n_runs:,} runs of {config.duration}",
    )
    parts = {
        "load": estimate.load_s,
        "cooldown": estimate.cooldown_s,
        "total": estimate.total_s,
        "at most": estimate.longest_s,
    }
    for part, seconds in parts.items():
        say(console, f"  {part:9}{_hours(seconds):>16} h  ({duration_text(seconds)})")
    say(
        console,
        "total: an estimate, if nothing is inferred; at most: if each run waits for its cooldown and its requests as "
        "long as it may. Runs that are repeated because they were INVALID come on top",
    )


def _hours(seconds: float) -> str:
    hours = seconds / _HOUR
    return f"{hours:,.2f}" if hours < _MANY_HOURS else f"{hours:.2e}"
