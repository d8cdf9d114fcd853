"""Running one campaign for a command: its progress, and its result however it ended."""

from collections.abc import Callable
from typing import Any

import gymnasium
from rich.console import Console

from peva_env.config import DfaasConfig
from peva_env.console import (
    CampaignProgress,
    duration_text,
    offer,
    print_disputes,
    print_map,
    print_refined_limits,
    print_verdicts,
    say,
)
from peva_env.contracts import EndStatus, EventKind
from peva_env.env import PevaEnv
from peva_env.memory import as_read
from peva_env.planning import campaign_loop
from peva_env.system import FirstInterrupt, command_text, same_folder


class CampaignRun:
    """A campaign of the command line: an agent on a live environment."""

    def __init__(
        self,
        console: Console,
        settings: DfaasConfig,
        agent: Any,
        *,
        budget_runs: int | None = None,
        budget_seconds: float | None = None,
        first_line: str | None = None,
    ) -> None:
        self._console, self._settings, self._agent = console, settings, agent
        self._env = gymnasium.make(
            "peva/FaasLive-v1",
            config=settings.model_dump(mode="json", exclude_unset=True),
            budget_runs=budget_runs,
            budget_seconds=budget_seconds,
        )
        peva = self._env.unwrapped
        assert isinstance(peva, PevaEnv)  # noqa: S101 - the id is ours
        self.peva = peva
        peva.observer = self._progress = CampaignProgress(console, peva, settings, first_line)
        self._is_finished = False

    def run(self, options: dict[str, Any]) -> EndStatus:
        """Run the campaign to its end; ``options`` are those of the environment's ``reset``."""
        with same_folder(), self._progress:  # a policy may change the working folder
            status: EndStatus = campaign_loop()(
                self._env, self._agent, seed=self._settings.seed, options=options
            ).status
        return status

    def finish(self) -> None:
        """Stop the node, close the memory and print the result; may be called twice."""
        if self._is_finished:
            return
        self._is_finished = True
        self._env.close()
        _print_result(self._console, self.peva, self._progress, self._settings)


def campaigns(
    console: Console,
    first: CampaignRun,
    options: dict[str, Any],
    interrupts: FirstInterrupt,
    then: Callable[[PevaEnv], CampaignRun | None] | None = None,
) -> EndStatus:
    """Run a campaign and, if it is complete, the one after it, and print their results, however they ended.

    ``then`` makes the second campaign of the environment of the first; it returns None where the budget is spent.
    """
    status, current = EndStatus.INTERRUPTED, first
    try:
        status = current.run(options)
        if then is not None and status is EndStatus.COMPLETE:
            current.finish()
            status, second = EndStatus.INTERRUPTED, then(current.peva)
            if second is None:
                return EndStatus.BUDGET
            current = second
            status = current.run(options)
    except KeyboardInterrupt:
        say(console, "interrupted: the run in progress is discarded; the same command goes on from here")
    finally:
        interrupts.hear_no_more()
        current.finish()
    return status


def _print_result(console: Console, campaign: PevaEnv, progress: CampaignProgress, settings: DfaasConfig) -> None:
    if not campaign.has_begun:
        return
    known = campaign.known
    events = {event.event_key: event for event in (*campaign.history, *progress.events, *progress.marks)}
    if campaign.refinement is None:
        print_verdicts(console, as_read(events.values()), known.measured)
        print_map(console, known, (event.config_pairs for event in events.values() if event.kind is EventKind.MEASURED))
    else:
        print_refined_limits(console, campaign.refinement, known)
    print_disputes(console, known.disputes())
    measured = len(known.measured) - len(known.disputed())
    inferred = max(0, known.n_configs - known.n_unknown - measured)
    took = duration_text(sum(event.cost_s for event in progress.events))
    say(
        console,
        f"\n{campaign.status}: {measured} configurations measured, {inferred} inferred, "
        f"{known.n_unknown} unknown; {len(progress.events)} runs took {took}",
    )
    say(console, f"why it ended: {campaign.ending}")
    run_id = campaign.run_context.run_id
    if settings.run_id and settings.run_id != run_id:
        say(console, f"the name of this campaign in the memory: {run_id}")
    n_canaries = sum(event.kind is EventKind.CANARY for event in progress.events)
    if n_canaries:
        say(console, f"of these runs {n_canaries} were canaries; {len(progress.marks)} runs became suspect")
    if campaign.n_judged_anew:
        n_runs = len(progress.events)
        again = f"{n_runs} run{'' if n_runs == 1 else 's'} measured" if n_runs else "nothing measured again"
        say(
            console,
            f"the overload rules have changed: {campaign.n_judged_anew} of {known.n_configs} configurations "
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
        report = command_text("report", "--memory", settings.memory.db_path, extra="report")
        offer(console, "as a page", report)
