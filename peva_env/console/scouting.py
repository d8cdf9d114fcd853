"""Printing a scouting: what is under way, the bracket of each ray, and all steps in the end."""

from collections.abc import Sequence
from statistics import fmean

from rich.console import Console
from rich.text import Text

from peva_env.console.table import print_table
from peva_env.console.text import STYLES, config_text, duration_text, reasons_text, say
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.planning import Bracket, outcome_text
from peva_env.space import Config
from peva_env.system import one_line

_HEADS = ("step (rps)", "verdict", "offered", "dropped", "success", "p50 ms", "p95 ms", "backlog", "CPU %")


class ScoutProgress:
    """Shows a running scouting; ``brackets`` are those of the rays so far."""

    def __init__(self, console: Console) -> None:
        self.brackets: list[Bracket] = []
        self.events: list[ExecutionEvent] = []
        self._console = console

    def starting(self, configs: Sequence[Config], step_s: float) -> None:
        """Say which steps start."""
        first, last = config_text(configs[0]), config_text(configs[-1])
        n, load = len(configs), duration_text(len(configs) * step_s)
        say(self._console, f"scouting {first} to {last} rps: {n} steps of {step_s:g} s, at most {load} of load")

    def stepped(self, event: ExecutionEvent) -> None:
        """Say why a step is INVALID."""
        self.events.append(event)
        if event.verdict is Verdict.INVALID:
            say(self._console, f"  INVALID: {config_text(event.config_pairs)} rps: {one_line(reasons_text(event))}")

    def concluded(self, bracket: Bracket) -> None:
        """Say where the limit of a ray is."""
        self.brackets.append(bracket)
        say(self._console, one_line(outcome_text(bracket)))


def print_steps(console: Console, events: Sequence[ExecutionEvent]) -> None:
    """Print the valid steps of a scouting as a table: ray by ray, the lowest rates first."""
    valid = [event for event in events if event.verdict is not Verdict.INVALID]
    if not valid:
        return
    shown = sorted(valid, key=lambda event: (len(event.config_key[0]), event.config_key))
    console.print()
    print_table(console, _HEADS, [_row(event) for event in shown], n_left=2)


def _row(event: ExecutionEvent) -> list[str | Text]:
    functions = event.functions
    return [
        config_text(event.config_pairs),
        Text(str(event.verdict), STYLES[event.verdict]),
        f"{sum(function.offered for function in functions):,}",
        f"{sum(function.dropped for function in functions):,}",
        f"{fmean(function.success_rate for function in functions):.3f}",
        _highest(functions, "p50_ms"),
        _highest(functions, "p95_ms"),
        f"{sum(function.backlog for function in functions):,}",
        "-" if event.node.cpu_pct is None else f"{event.node.cpu_pct:.0f}",
    ]


def _highest(functions: Sequence[FunctionMeasurement], latency: str) -> str:
    values = [value for function in functions if (value := getattr(function, latency)) is not None]
    return f"{max(values):.0f}" if values else "-"
