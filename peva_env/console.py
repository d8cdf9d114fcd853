"""What a campaign looks like in a terminal: its progress, its verdicts, and the overload map."""

import sys
import time
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from peva_env.config import DfaasConfig
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.env import PevaEnv
from peva_env.frontier import MonotoneMap
from peva_env.space import Config, ConfigKey
from peva_env.verdict import majority

_MAX_ROWS = 40
_STYLES = {Verdict.OK: "green", Verdict.OVERLOADED: "red", Verdict.INVALID: "yellow"}


def config_text(config: Iterable[tuple[str, int]]) -> str:
    """Return a configuration as people write it: ``fetch 40 + checkout 80``."""
    return " + ".join(f"{name} {rate}" for name, rate in config)


def duration_text(seconds: float) -> str:
    """Return seconds in the two largest units that matter: ``45s``, ``3m 05s``, ``2h 10m``, ``12 days``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 48 * 3600:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole / 86400:,.0f} days"


class Progress:
    """Shows a campaign as it runs: one live line in a terminal, one plain line per configuration elsewhere.

    Use it as a context manager around the campaign, and as the environment's observer.
    """

    def __init__(self, console: Console, env: PevaEnv, config: DfaasConfig) -> None:
        self.events: list[ExecutionEvent] = []
        self._console = console
        self._env = env
        self._config = config
        self._current = "starting the node"
        self._last = Text("")
        self._live = Live(console=console, transient=True, get_renderable=self._line) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live:
            self._live.stop()

    def starting(self, config: Config, iteration: int) -> None:
        """Show which run is going on."""
        self._current = f"{config_text(config)} (run {iteration + 1})"

    def measured(self, event: ExecutionEvent) -> None:
        """Take note of a run."""
        self.events.append(event)
        if event.verdict is Verdict.INVALID:
            self._print(event.config_pairs, Verdict.INVALID, "; ".join(event.reasons))

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:
        """Show a configuration's verdict."""
        skipped = f"; {resolved - 1} above it need not be run" if resolved > 1 else ""
        reasons = "; ".join(self.events[-1].reasons) if self.events and verdict is Verdict.OVERLOADED else ""
        self._print(config, verdict, reasons + skipped)

    def _print(self, config: Config, verdict: Verdict, detail: str) -> None:
        line = Text(f"{self._counts()}  {config_text(config)}: ")
        line.append(str(verdict), _STYLES[verdict])
        line.append(f"  {detail}" if detail else "", "dim")
        self._last = line
        self._console.print(line, soft_wrap=True, highlight=False)

    def _counts(self) -> str:
        if not self._env.has_begun:
            return ""
        known = self._env.known
        done, left = len(known.measured), known.n_unknown
        left_s = left * self._config.iterations * self._mean_run_s()
        skipped = known.space.n_configs - done - left
        return f"{done} done, {skipped} skipped, {left} left (at most {duration_text(left_s)})"

    def _mean_run_s(self) -> float:
        costs = [event.cost_s for event in self.events]
        return sum(costs) / len(costs) if costs else self._config.duration_s

    def _line(self) -> Text:
        spinner = "|/-\\"[int(time.monotonic() * 4) % 4]
        return Text(f"{spinner} {self._counts()}  now: {self._current}", "bold")


def print_verdicts(console: Console, events: Iterable[ExecutionEvent]) -> None:
    """Print a table of what was measured, one row per configuration."""
    runs: dict[ConfigKey, list[ExecutionEvent]] = {}
    for event in events:
        if event.kind is EventKind.MEASURED and event.verdict is not Verdict.INVALID:
            runs.setdefault(event.config_key, []).append(event)
    if not runs:
        return
    table = Table("configuration (rps)", "verdict", title="Verdicts", title_justify="left")
    for heading in ("runs", "margin", "success", "p95 ms", "node CPU %"):
        table.add_column(heading, justify="right")
    for key in sorted(runs, key=lambda key: (len(key[0]), key))[:_MAX_ROWS]:
        table.add_row(*_verdict_row(key, runs[key]))
    console.print(table)
    if len(runs) > _MAX_ROWS:
        console.print(f"and {len(runs) - _MAX_ROWS} more, see results.csv")


def _verdict_row(key: ConfigKey, runs: Sequence[ExecutionEvent]) -> list[str | Text]:
    verdict = majority(run.verdict for run in runs)
    agreeing = sum(run.verdict is verdict for run in runs)
    success = [function.success_rate for run in runs for function in run.functions if function.offered]
    p95_ms = [function.p95_ms for run in runs for function in run.functions if function.p95_ms is not None]
    return [
        config_text(zip(*key, strict=True)),
        Text(str(verdict), _STYLES[verdict]),
        f"{agreeing}/{len(runs)}",
        _mean([run.margin for run in runs if run.margin is not None], "+.2f"),
        _mean(success, ".3f"),
        _mean(p95_ms, ".0f"),
        _mean([run.node.cpu_pct for run in runs if run.node.cpu_pct is not None], ".0f"),
    ]


def _mean(values: Sequence[float], form: str) -> str:
    return format(sum(values) / len(values), form) if values else "-"


def print_map(console: Console, known: MonotoneMap) -> None:
    """Draw the overload map of one or two functions; for more there is nothing to draw in a terminal."""
    space = known.space
    if len(space.functions) > 2 or known.labels is None:
        return
    across = space.functions[-1]
    down = space.functions[0] if len(space.functions) == 2 else None
    columns: list[int | None] = [None, *space.rates_rps[-1]] if down else list(space.rates_rps[-1])
    rows: list[int | None] = [None, *space.rates_rps[0]] if down else [None]
    title = f"Overload map: {down} (down) and {across} (across), rps" if down else f"Overload map: {across}, rps"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    table.add_column("", justify="right")
    for rate in columns:
        table.add_column("none" if rate is None else str(rate), justify="center")
    for row in reversed(rows):
        pairs = [[(down, row), (across, column)] for column in columns]
        configs = [[(str(name), rate) for name, rate in pair if rate is not None] for pair in pairs]
        table.add_row("none" if row is None and down else str(row or ""), *(_cell(known, config) for config in configs))
    console.print(table)
    console.print(
        Text.from_markup("[green]o[/] OK  [red]X[/] overloaded  [dim red]x[/] overloaded by inference  ? unknown")
    )


def _cell(known: MonotoneMap, config: Config) -> Text:
    if config not in known.space:
        return Text("")
    verdict = known.verdict(config)
    if verdict is None:
        return Text("?")
    if verdict is Verdict.OK:
        return Text("o", "green")
    key = (tuple(name for name, _ in config), tuple(rate for _, rate in config))
    return Text("X", "red") if key in known.measured else Text("x", "dim red")


def make_console() -> Console:
    """Return the console of standard output; what is not a terminal gets whole lines, however long."""
    return Console(width=None if sys.stdout.isatty() else 200)
