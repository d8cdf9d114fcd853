"""The command ``peva-env recheck``: whether a node still bears what it bore, by the fewest runs that can tell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from peva_env.campaign import LiveCampaigns, not_idle
from peva_env.cli.configuration import ConfigOption, warn_of_plan
from peva_env.cli.diff import LOST, difference_data
from peva_env.cli.map_options import DEFAULT_MEMORY, AsJson, Context, Repetition, Schema
from peva_env.cli.paths import path_option
from peva_env.cli.services import RecheckUrlOption, asked_settings
from peva_env.config import DfaasConfig, OverloadConfig, parse_config
from peva_env.console import (
    CampaignProgress,
    make_console,
    print_context_changes,
    print_difference,
    print_notes,
    print_recheck,
    say,
    write,
)
from peva_env.contracts import EndStatus
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.inference import EarlierMap
from peva_env.maps import MapDifference, NodeMap, Recheck, compare, deciding_runs, read_map, read_stored, recheck_of
from peva_env.memory import DEFAULT_SCHEMA_VERSION, RECHECK_AGENT, RecheckLedger
from peva_env.memory.tensors import TensorCache
from peva_env.planning import DfaasPlanBuilder, agent_factory, campaign_loop, with_rates
from peva_env.space import ConfigSpace
from peva_env.system import FirstInterrupt

GAINED = 4
"""Exit code of ``recheck`` if the node bears more than before, and nothing less."""

UNDECIDED = 5
"""Exit code of ``recheck`` if the budget ended before the earlier map was known again and no loss was found."""

_INTERRUPTED = 130


def recheck(
    memory: Annotated[Path, path_option(help="The memory that holds the earlier map.")] = DEFAULT_MEMORY,
    config: ConfigOption = None,
    url: RecheckUrlOption = None,
    context: Context = None,
    repetition: Repetition = None,
    tolerate: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of the OK configurations that may be lost without exit code 3."),
    ] = 0.0,
    budget_runs: Annotated[int | None, typer.Option(min=1, help="Stop after this number of k6 runs.")] = None,
    as_json: AsJson = False,
    schema_version: Schema = DEFAULT_SCHEMA_VERSION,
) -> None:
    """Measure only the configurations that prove an earlier map, to tell whether the node bears what it bore.

    The re-check is a new campaign of its own. A run that agrees with the earlier map is enough; one that differs is
    measured again until chance is excluded. Where a verdict has changed, the new map is searched around it.

    Exit code 0 if the map held, 3 if more than the tolerated share was lost, 4 if something was gained and nothing was
    lost, 5 if the budget ended before that was known, 130 when interrupted, 1 on an error, 2 on wrong usage.
    """
    settings = asked_settings(config, url)
    before = _earlier_map(memory, settings, context, repetition, schema_version)
    settings = suited(settings, before)
    warn_of_plan(settings)
    console = make_console(errors=as_json)
    after, found = _measured(console, settings, before, budget_runs)
    difference = compare(before, after)
    if as_json:
        data = difference_data(before, after, difference, deciding_runs(difference))
        write(json.dumps({**data, "recheck": _as_data(found)}, indent=2))
    else:
        print_comparison(console, before, after, difference, found)
        print_notes(console, dict.fromkeys((*before.notes, *after.notes)))
        print_recheck(console, found)
    raise typer.Exit(exit_code(found, tolerate))


def _earlier_map(
    memory: Path, settings: DfaasConfig, context: str | None, repetition: int | None, schema_version: str
) -> NodeMap:
    """Read the earlier map, judged by the rules of the configuration."""
    stored = read_stored(
        memory,
        context=context,
        repetition=repetition,
        at_least="within_sets",
        rechecks=False,
        schema_version=schema_version,
    )
    of_functions = settings.overload.functions
    there = stored.context.get("functions", of_functions)
    rules: OverloadConfig = settings.overload.model_copy(
        update={"functions": {name: own for name, own in of_functions.items() if name in there}}
    )
    return stored.judged(rules)


def suited(settings: DfaasConfig, before: NodeMap) -> DfaasConfig:
    """Return the configuration of the re-check: single runs, and the earlier rates where others would be scouted.

    What says which configurations a campaign measures, and what it measures after them, has no effect on a re-check.

    Raises:
        ConfigError: a rate would have to be scouted, or verdicts are inferred one-sidedly.
    """
    if settings.dominance == "one_sided":
        raise ConfigError(
            "dominance: one_sided lets an OK configuration prove only itself; leave the key out for a re-check"
        )
    if settings.needs_scouting:
        settings = with_rates(settings, _earlier_rates(settings, before), where="rates of the earlier map")
    data = settings.model_dump(mode="json", exclude_unset=True, exclude={"configurations", "refine", "confirm"})
    single = {"iterations": 1, "repeats": "all", "dominance": settings.dominance or "within_sets"}
    return parse_config({**data, **single}, where="recheck")


def _earlier_rates(settings: DfaasConfig, before: NodeMap) -> dict[str, tuple[int, ...]]:
    """Return the earlier rates of the functions whose rates would be scouted."""
    space = before.known.space
    earlier = dict(zip(space.functions, space.rates_rps, strict=True))
    scouted = [function.name for function in settings.functions if function.rate_strategy is None]
    for name in scouted:
        if name not in earlier:
            raise ConfigError(
                f"rate_strategy.type auto: {before.memory} has no rates of {name}; give it a rate_strategy of its own, "
                f"or leave it out; the functions of the earlier map are {', '.join(earlier)}"
            )
    return {name: earlier[name] for name in scouted}


def _measured(
    console: Console, settings: DfaasConfig, before: NodeMap, budget_runs: int | None
) -> tuple[NodeMap, Recheck]:
    """Run the campaign, and return its map and what was found."""
    space = DfaasPlanBuilder(settings).build_space()
    assert settings.dominance is not None  # noqa: S101 - see suited
    earlier = EarlierMap(before.known.measured, space, settings.dominance)
    margins = {key: [run.margin for run in runs if run.margin is not None] for key, runs in before.runs.items()}
    ledger = RecheckLedger(earlier, margins)
    env = PevaEnv(LiveCampaigns(settings, budget_runs=budget_runs, ledger=ledger))
    make_agent: Callable[..., Any] = agent_factory(RECHECK_AGENT)
    busy = not_idle()
    progress = CampaignProgress(console, env, settings, f"this machine {busy}" if busy else None)
    say(
        console,
        f"{before.memory}, context {before.context_hash}, repetition {before.repetition}: "
        f"{earlier.n_certificate} configuration{'s prove' if earlier.n_certificate > 1 else ' proves'} its map",
    )
    for line in left_out(before, space):
        say(console, line)
    agent = make_agent(settings, before=TensorCache.of(before.events), has_changed=lambda: bool(ledger.certain))
    status = _run(console, env, agent, progress, settings)
    last = progress.events[-1]
    after = read_map(
        settings.memory.db_path,
        context=last.context_hash,
        repetition=last.repetition,
        space=space,
        dominance=settings.dominance,
        schema_version=settings.memory.schema_version,
    )
    found = recheck_of(
        earlier,
        env.known,
        certain=ledger.certain,
        unsure=ledger.unsure,
        n_runs=sum(event.is_valid for event in progress.events),
        is_finished=status is not EndStatus.BUDGET,
    )
    return after, found


def left_out(before: NodeMap, space: ConfigSpace) -> list[str]:
    """Return a line on the functions of the earlier map that the plan of a re-check does not have, if there are any."""
    gone = sorted(set(before.known.space.functions) - set(space.functions))
    what = f"left out: the configurations of the earlier map with {', '.join(gone)}"
    return [f"{what}, which the configuration no longer has"] if gone else []


def _run(console: Console, env: PevaEnv, agent: Any, progress: CampaignProgress, settings: DfaasConfig) -> EndStatus:
    env.observer, interrupts = progress, FirstInterrupt()
    try:
        with progress:
            status: EndStatus = campaign_loop()(env, agent, seed=settings.seed).status
            return status
    except KeyboardInterrupt:
        say(console, "interrupted: its runs are stored; the same command begins a new re-check")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        interrupts.hear_no_more()
        env.close()


def print_comparison(
    console: Console, before: NodeMap, after: NodeMap, difference: MapDifference, found: Recheck
) -> None:
    """Print how the map of the re-check differs from the earlier one; if it does not, how their contexts differ."""
    if found.has_changed or found.unsure:
        print_difference(console, before.memory, after.memory, difference)
    else:
        print_context_changes(console, difference)


def exit_code(found: Recheck, tolerate: float) -> int:
    """Return the exit code after a re-check; ``tolerate`` is the percentage of what was OK that may be lost."""
    if found.lost and 100 * found.lost_share > tolerate:
        return LOST
    if not found.is_finished:
        return UNDECIDED
    return GAINED if found.gained and not found.lost else 0


def _as_data(found: Recheck) -> dict[str, Any]:
    """Return what was found as plain data, beside the difference of the maps."""
    return {
        "n_configs": found.n_configs,
        "n_certificate": found.n_certificate,
        "n_agreed": found.n_agreed,
        "n_unproved": found.n_unproved,
        "n_runs": found.n_runs,
        "lost": list(found.lost),
        "gained": list(found.gained),
        "lost_share": found.lost_share,
        "unsure": list(found.unsure),
        "is_finished": found.is_finished,
    }
