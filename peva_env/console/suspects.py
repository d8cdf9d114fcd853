"""Printing which runs became suspect, and why."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from peva_env.console.text import STYLES, config_text, say
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.space import config_pairs
from peva_env.system import one_line

_MAX_CONFIGS = 8


def print_suspects(console: Console, marks: Sequence[ExecutionEvent]) -> None:
    """Print a line for the marks of runs that became suspect together."""
    runs = Counter(mark.config_key for mark in marks)
    named = [f"{config_text(config_pairs(key))}{f' ({n} runs)' if n > 1 else ''}" for key, n in runs.items()]
    more = f", and {len(named) - _MAX_CONFIGS:,} more" if len(named) > _MAX_CONFIGS else ""
    what, _, why = one_line(marks[0].reasons[0]).partition(": ")
    line = Text(what, STYLES[Verdict.INVALID]) + Text(f": {', '.join(named[:_MAX_CONFIGS])}{more}: {why}")
    say(console, line)
