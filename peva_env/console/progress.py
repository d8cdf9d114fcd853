"""The progress of a campaign: two live lines in a terminal, one plain line per configuration elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.live import Live
from rich.text import Text

from peva_env.config import DfaasConfig
from peva_env.console.disputes import print_disputes
from peva_env.console.suspects import print_suspects
from peva_env.console.text import STYLES, config_text, duration_text, reasons_text, say
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.env import PevaEnv
from peva_env.inference import Dispute
from peva_env.planning import DfaasPlanBuilder
from peva_env.space import Config

_SPINNER = "|/-\\"
_TURNS_PER_S = 4


class CampaignProgress:
    """Shows a running campaign. Use it as a context manager around the campaign, and as the environment's observer.

    ``first_line`` is printed before the first run.
    """

    def __init__(self, console: Console, env: PevaEnv, config: DfaasConfig, first_line: str | None = None) -> None:
        self.events: list[ExecutionEvent] = []
        self.marks: list[ExecutionEvent] = []  # of runs that became suspect
        self._console = console
        self._first_line = first_line
        self._env = env
        self._iterations = config.iterations
        self._valid: list[ExecutionEvent] = []  # of the configuration that is running
        self._current = "starting the node"
        self._disputes: list[Dispute] = []  # as printed last
        estimate = DfaasPlanBuilder(config).estimate()
        self._planned_run_s = estimate.total_s / estimate.n_runs
        live = Live(console=console, transient=True, get_renderable=self._lines, refresh_per_second=_TURNS_PER_S)
        self._live = live if console.is_terminal else None

    def __enter__(self) -> "CampaignProgress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live:
            self._live.stop()

    def starting(self, config: Config, iteration: int) -> None:
        """Show the run that starts."""
        if self._first_line is not None:
            say(self._console, self._first_line)
            self._first_line = None
        self._current = f"{config_text(config)} (run {iteration + 1})"

    def measured(self, event: ExecutionEvent) -> None:
        """Count a run; print it if it is INVALID or a canary."""
        event = replace(event, raw_summary=None)  # nothing here shows it, and it is the bulk of an event
        self.events.append(event)
        is_canary = event.kind is EventKind.CANARY
        if is_canary or event.verdict is Verdict.INVALID:
            self._print(event.config_pairs, event.verdict, reasons_text(event), "canary " if is_canary else "")
        else:
            self._valid.append(event)

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:
        """Print a configuration's verdict and its reasons."""
        # An outvoted run does not explain the verdict.
        agreeing = [event for event in self._valid if event.verdict is verdict]
        self._valid.clear()
        reasons = list(agreeing[-1].reasons) if agreeing else []
        side = "above" if verdict is Verdict.OVERLOADED else "below"
        skipped = [f"{resolved - 1} {side} it need not be run"] if resolved > 1 else []
        self._print(config, verdict, "; ".join(reasons + skipped))
        disputes = self._env.known.disputes() if self._env.has_begun else []
        print_disputes(self._console, [dispute for dispute in disputes if dispute not in self._disputes])
        self._disputes = disputes

    def suspected(self, marks: Sequence[ExecutionEvent]) -> None:
        """Print which runs became suspect."""
        self.marks += marks
        print_suspects(self._console, marks)

    def _print(self, config: Config, verdict: Verdict, detail: str, what: str = "") -> None:
        # In a terminal the counts stand in the live lines below.
        line = Text("" if self._live else f"{self._counts()}  ")
        line.append(f"{what}{config_text(config)}: ")
        line.append(str(verdict), STYLES[verdict])
        line.append(f"  {detail}" if detail else "", "dim")
        say(self._console, line)

    def _counts(self) -> str:
        if not self._env.has_begun:
            return "0 measured"
        known = self._env.known
        measured, left = len(known.measured) - len(known.disputed()), known.n_unknown
        inferred = max(0, known.n_configs - measured - left)
        left_s = max(0, left * self._iterations - len(self._valid)) * self._mean_run_s()
        left_text = f"{left:,} left (about {duration_text(left_s)} or less)"
        return f"{measured:,} measured, {inferred:,} inferred, {left_text}"

    def _mean_run_s(self) -> float:
        costs = [event.cost_s for event in self.events]
        return sum(costs) / len(costs) if costs else self._planned_run_s

    def _lines(self) -> Text:
        spinner = _SPINNER[int(time.monotonic() * _TURNS_PER_S) % len(_SPINNER)]
        text = f"{spinner} {self._counts()}\n  now: {self._current}"
        # Never wrapped: lines that change their height leave garbage in a terminal.
        return Text(text, "bold", no_wrap=True, overflow="ellipsis")
