"""Running one campaign for a command: its progress, and its result however it ended."""

from typing import Any

import gymnasium
from rich.console import Console

from peva_env.config import DfaasConfig
from peva_env.console import CampaignProgress, duration_text, print_disputes, print_map, print_verdicts, say
from peva_env.contracts import EndStatus, EventKind
from peva_env.env import PevaEnv
from peva_env.memory import as_read
from peva_env.planning import campaign_loop
from peva_env.system import FirstInterrupt


def campaign(
    console: Console,
    env: gymnasium.Env[Any, Any],
    agent: Any,
    settings: DfaasConfig,
    options: dict[str, Any],
    interrupts: FirstInterrupt,
    first_line: str | None,
) -> EndStatus:
    """Run the campaign and print its result, however it ended."""
    peva = env.unwrapped
    assert isinstance(peva, PevaEnv)  # noqa: S101 - the id is ours
    peva.observer = progress = CampaignProgress(console, peva, settings, first_line)
    status = EndStatus.INTERRUPTED
    try:
        with progress:
            status = campaign_loop()(env, agent, seed=settings.seed, options=options).status
    except KeyboardInterrupt:
        say(console, "interrupted: the run in progress is discarded; the same command goes on from here")
    finally:
        interrupts.hear_no_more()
        env.close()
        _print_result(console, peva, progress, settings)
    return status


def _print_result(console: Console, campaign: PevaEnv, progress: CampaignProgress, settings: DfaasConfig) -> None:
    if not campaign.has_begun:
        return
    known = campaign.known
    events = {event.event_key: event for event in (*campaign.history, *progress.events, *progress.marks)}
    print_verdicts(console, as_read(events.values()), known.measured)
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
    n_canaries = sum(event.kind is EventKind.CANARY for event in progress.events)
    if n_canaries:
        say(console, f"of these runs {n_canaries} were canaries; {len(progress.marks)} runs became suspect")
    if campaign.n_judged_anew:
        n_runs = len(progress.events)
        again = f"{n_runs} run{'' if n_runs == 1 else 's'} measured" if n_runs else "nothing measured again"
        say(
            console,
            f"the overload rules have changed: {campaign.n_judged_anew} of {known.space.n_configs} configurations "
            f"judged anew, {again}",
        )
    for path in campaign.host.paths:
        say(console, f"  {path}")
    if not progress.events and not known.n_unknown:
        say(
            console,
            "nothing was left to run: --repetition measures all again, another output_dir begins anew",
        )
    if any(event.kind is not EventKind.SCOUTED for event in events.values()):
        say(console, f"as a page: peva-env report --memory {settings.memory.db_path}")
