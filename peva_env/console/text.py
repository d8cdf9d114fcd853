"""The console, and the texts of configurations and durations."""

import io
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from peva_env import space
from peva_env.contracts import ExecutionEvent, Verdict
from peva_env.sources import is_spoilt
from peva_env.system import one_line

STYLES = {Verdict.OK: "green", Verdict.OVERLOADED: "red", Verdict.INVALID: "yellow"}

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365.25 * 86_400
_MANY_YEARS = 1e6
_SUREST = 0.999
_FILE_WIDTH = 120
"""Width of tables where there is no terminal."""


def config_text(config: Iterable[tuple[str, int]]) -> str:
    """Return a configuration as text: ``checkout 80 + fetch 40``; control characters in names are removed."""
    return one_line(space.config_text(config, unit=""))


def duration_text(seconds: float) -> str:
    """Return a duration in suitable units: ``45s``, ``3m 05s``, ``2h 10m``, ``12 days``, ``4 years``."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"
    if whole < 2 * _YEAR:
        return f"{whole / _DAY:.0f} days"
    years = seconds / _YEAR
    return f"{years:,.0f} years" if years < _MANY_YEARS else f"{years:.1e} years"


def confidence_text(confidence: float) -> str:
    """Return a confidence as text: ``97.2%``, ``over 99.9%``."""
    return f"over {_SUREST:.1%}" if confidence > _SUREST else f"{confidence:.1%}"


def make_console(*, errors: bool = False) -> Console:
    """Return the console of standard output, or of standard error; without it, as in a service, it prints nothing."""
    stream = sys.stderr if errors else sys.stdout
    if stream is None:
        return Console(file=io.StringIO(), quiet=True)
    return Console(stderr=errors, width=None if stream.isatty() else _FILE_WIDTH)


def say(console: Console, line: str | Text) -> None:
    """Print one line: wrapped between words in a terminal, whole where another program or a file reads it."""
    console.print(line, soft_wrap=not console.is_terminal, highlight=False, markup=False)


def offer(console: Console, what: str, command: str) -> None:
    """Print a command to copy. It is not wrapped: a shell would take each line for a command."""
    console.print(Text(f"{what}: ", "dim") + Text(command), soft_wrap=True)


def reasons_text(event: ExecutionEvent) -> str:
    """Return the reasons of a run, and what the next run waits for because of it."""
    waits = ["the next run waits until other programs leave the cores"] if is_spoilt(event) else []
    return "; ".join([*event.reasons, *waits])


def print_notes(console: Console, notes: Iterable[str]) -> None:
    """Print the notes of a map."""
    for note in notes:
        say(console, Text("note: ", "dim") + Text(one_line(note)))
