"""The log of k6: its first error, for the message of a failed run, and its warnings while it runs."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from peva_env.system import json_value, one_line

LOGGER = logging.getLogger("peva_env.k6")

_MESSAGE_LENGTH = 300
_MAX_LINES = 20
_QUOTED = re.compile(r'\bmsg=("(?:[^"\\]|\\.)*")')
_LEVEL = re.compile(r"\blevel=(\w+)")
_QUERY = re.compile(r'(\bhttps?://[^\s"?]*)\?(?:\\.|[^\s"\\])*')
"""An address up to its query string, which may hold a key; k6 quotes addresses as Go does."""
_ERRORS = ("error", "fatal", "panic")
_WARNINGS = ("warn", "warning")


Tell = Callable[[int, str], None]
"""Takes a line of k6's log, with its level."""


def tell(level: int, line: str) -> None:
    """Pass a line of k6 on to ``LOGGER``."""
    LOGGER.log(level, "k6: %s", line)


class _Line(NamedTuple):
    level: str
    message: str


def first_error(lines: Iterable[str], secrets: Mapping[str, str]) -> str:
    """Return the first error among log lines, in one line; the first message if no line has the level of an error."""
    messages = [line for line in map(_parsed, lines) if line.message]
    chosen = next((line for line in messages if line.level in _ERRORS), messages[0] if messages else None)
    return redacted(chosen.message, secrets)[:_MESSAGE_LENGTH] if chosen else ""


def first_error_in(folder: Path, secrets: Mapping[str, str]) -> str:
    """Return the first error of a run: in ``log.json``, or in ``stderr.txt`` if k6 failed before it had a log."""
    for name in ("log.json", "stderr.txt"):
        path = folder / name
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        if error := first_error(lines, secrets):
            return error
    return ""


def redacted(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with the value of each secret replaced by its name, and addresses without their query strings."""
    for name, value in secrets.items():
        text = text.replace(value, f"<{name}>")
    return _QUERY.sub(r"\1?...", text)


class LogStream:
    """Passes warnings and errors on to ``tell`` while k6 writes them to a file.

    k6 warns of each failed request, hundreds of times a second. So of lines that differ only in their numbers, only the
    first is passed on, and at most 20 lines per run. The other lines are counted.
    """

    def __init__(self, path: Path, secrets: Mapping[str, str], tell: Tell) -> None:
        self._path = path
        self._secrets = secrets
        self._tell = tell
        self._position = 0
        self._seen: set[str] = set()
        self._held_back = 0

    def pass_on(self) -> None:
        """Pass on the lines that were completed since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._position += len(whole + newline)
        for text in whole.decode(errors="replace").splitlines():
            self._line(_parsed(text))

    def end(self) -> None:
        """Pass on the last lines, and log how many were held back."""
        self.pass_on()
        if self._held_back:
            self._tell(logging.WARNING, f"{self._held_back} more lines like these in this run")

    def _line(self, line: _Line) -> None:
        if line.level not in _ERRORS + _WARNINGS:
            return
        alike = re.sub(r"\d+", "0", line.message)
        if alike in self._seen or len(self._seen) >= _MAX_LINES:
            self._held_back += 1
            return
        self._seen.add(alike)
        level = logging.ERROR if line.level in _ERRORS else logging.WARNING
        self._tell(level, redacted(line.message, self._secrets)[:_MESSAGE_LENGTH])


def _parsed(text: str) -> _Line:
    """Read a log line; k6 writes JSON in its log and ``key="value"`` pairs before it has opened it."""
    quoted = _QUOTED.search(text)
    level = _LEVEL.search(text)
    try:
        if quoted:
            return _Line(level[1] if level else "", one_line(json_value(quoted[1])))
        entry = json_value(text)
        detail = f": {entry['error']}" if "error" in entry else ""
        return _Line(str(entry["level"]), one_line(f"{entry['msg']}{detail}"))
    except (KeyError, TypeError, ValueError):
        return _Line("", one_line(text))
