"""Printing the table of measured configurations."""

from collections.abc import Container, Iterable, Sequence

from rich.console import Console
from rich.text import Text

from peva_env.console.table import print_table
from peva_env.console.text import STYLES, config_text, say
from peva_env.contracts import ExecutionEvent
from peva_env.maps import valid_runs
from peva_env.rules import majority
from peva_env.space import ConfigKey

_MAX_ROWS = 40
_HEADINGS = ("configuration (rps)", "verdict", "agree", "margin", "success", "p95 ms", "CPU %")


def print_verdicts(console: Console, events: Iterable[ExecutionEvent], complete: Container[ConfigKey]) -> None:
    """Print one row per measured configuration; ``agree`` is how many of its runs have the majority's verdict.

    A configuration that is not complete is shown as incomplete instead of a verdict.
    """
    runs = valid_runs(events)
    if not runs:
        return
    shown = sorted(runs, key=lambda key: (len(key[0]), key))[:_MAX_ROWS]
    console.print()
    print_table(console, _HEADINGS, [_row(key, runs[key], is_complete=key in complete) for key in shown], n_left=2)
    if len(runs) > len(shown):
        say(console, f"and {len(runs) - len(shown)} more, see results.csv")


def _row(key: ConfigKey, runs: Sequence[ExecutionEvent], *, is_complete: bool) -> list[Text]:
    verdict = majority(run.verdict for run in runs)
    agreeing = sum(run.verdict is verdict for run in runs)
    success = [function.success_rate for run in runs for function in run.functions if function.offered]
    p95_ms = [function.p95_ms for run in runs for function in run.functions if function.p95_ms is not None]
    return [
        Text(config_text(zip(*key, strict=True))),
        Text(str(verdict), STYLES[verdict]) if is_complete else Text("incomplete", "dim"),
        Text(f"{agreeing}/{len(runs)}"),
        _mean([run.margin for run in runs if run.margin is not None], "+.2f"),
        _mean(success, ".3f"),
        _mean(p95_ms, ".0f"),
        _mean([run.node.cpu_pct for run in runs if run.node.cpu_pct is not None], ".0f"),
    ]


def _mean(values: Sequence[float], form: str) -> Text:
    return Text(format(sum(values) / len(values), form) if values else "-")
