"""The files of a campaign beside its memory: ``results.csv``, ``skipped.csv``, ``index.csv`` and ``events.jsonl``.

The CSV files have the columns and the order of PEVA-FAAS, so that programs for its recordings can read them. Rows are
only appended: one write per row, when its event happens.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peva_env.campaign.artifact_rows import (
    csv_line,
    identity,
    index_line,
    json_line,
    results_header,
    results_row,
    skipped_header,
    skipped_row,
)
from peva_env.contracts import EventKind, ExecutionEvent
from peva_env.errors import PevaError
from peva_env.space import ConfigKey

_ODD_BYTES = "surrogateescape"
"""Error handler that keeps the number of bytes that are not UTF-8, such as half a character."""


class ArtifactWriter:
    """Appends a campaign's artifacts to one folder.

    The memory is the source of truth and is written first. If the process dies before or while it appends a row,
    ``catch_up`` restores the missing rows from the memory's events.

    Args:
        folder: created if it does not exist.
        function_names: the functions of the plan, which determine the columns.

    Raises:
        PevaError: the folder cannot be created or written, or holds results of other functions; no file is changed.
    """

    def __init__(self, folder: str | Path, function_names: Iterable[str]) -> None:
        self.folder = Path(folder)
        self._place = self.folder.absolute()  # a policy may change the working folder
        self._functions = sorted(function_names)
        self._headers = {
            "results.csv": csv_line(results_header(self._functions), ","),
            "skipped.csv": csv_line(skipped_header(self._functions), ","),
            "index.csv": csv_line(["functions", "rates", "results_file"], ";"),
            "events.jsonl": "",
        }
        try:
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PevaError(f"output_dir {self.folder}: cannot be created: {error.strerror}") from error
        self._begin()

    @property
    def paths(self) -> list[Path]:
        """The files that exist."""
        return [self.folder / name for name in self._headers if (self._place / name).exists()]

    def record_run(self, event: ExecutionEvent) -> None:
        """Append one run to ``events.jsonl`` and, if it is a measurement with a label, to ``results.csv``."""
        self._append("events.jsonl", json_line(event))
        if event.is_valid:
            self._append("results.csv", self._result_line(event))

    def record_marks(self, marks: Iterable[ExecutionEvent]) -> None:
        """Append the marks of suspect runs to ``events.jsonl``; the rows of these runs stay where they are."""
        self._append("events.jsonl", "".join(map(json_line, marks)))

    def record_skips(self, keys: Iterable[ConfigKey]) -> None:
        """Append configurations that need not be run to ``skipped.csv``."""
        self._append("skipped.csv", "".join(map(self._skipped_line, keys)))

    def record_complete(self, key: ConfigKey) -> None:
        """Append a configuration that needs no more runs to ``index.csv``, unless it has a row already."""
        self._supply("index.csv", [index_line(key)])

    def catch_up(self, events: Iterable[ExecutionEvent], complete: Iterable[ConfigKey]) -> None:
        """Append the rows that the memory has and the files lack.

        A row of a CSV file names no campaign: an equal row of an earlier campaign in the same folder counts as present.

        Args:
            events: of this campaign, from the memory.
            complete: the configurations that need no more runs.
        """
        events = list(events)
        told = [event for event in events if event.kind not in (EventKind.SKIPPED, EventKind.INFERRED)]
        skips = [event.config_key for event in events if event.kind is EventKind.SKIPPED]
        self._begin()
        self._supply("events.jsonl", map(json_line, told))
        self._supply("results.csv", [self._result_line(event) for event in told if event.is_valid])
        self._supply("skipped.csv", map(self._skipped_line, skips))
        self._supply("index.csv", map(index_line, complete))

    def _begin(self) -> None:
        """Check every file before changing any, cut off an incomplete last line, and write missing headers."""
        found = {name: self._read(name) for name in self._headers}
        for name, header in self._headers.items():
            if not found[name].startswith(header) and not header.startswith(found[name]):
                raise PevaError(
                    f"output_dir {self.folder}: {name} has the columns of other functions; choose another output_dir"
                )
        for name in self._headers:
            whole, newline, half_a_line = found[name].rpartition("\n")
            if half_a_line:
                self._cut(name, len((whole + newline).encode(errors=_ODD_BYTES)))
            if not newline:
                self._append(name, "")

    def _supply(self, name: str, lines: Iterable[str]) -> None:
        present = Counter(identity(f"{line}\n") for line in self._read(name).split("\n"))
        lacking = []
        for line in lines:
            present[identity(line)] -= 1
            if present[identity(line)] < 0:
                lacking.append(line)
        self._append(name, "".join(lacking))

    def _result_line(self, event: ExecutionEvent) -> str:
        return csv_line(results_row(self._functions, event), ",")

    def _skipped_line(self, key: ConfigKey) -> str:
        return csv_line(skipped_row(self._functions, key), ",")

    def _read(self, name: str) -> str:
        path = self._place / name
        try:
            with path.open(encoding="utf-8", errors=_ODD_BYTES, newline="") as file:
                return file.read()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise PevaError(f"output_dir {self.folder}: {name} cannot be read: {error.strerror}") from error

    def _append(self, name: str, text: str) -> None:
        with self._writing(name), (self._place / name).open("a", encoding="utf-8", newline="") as file:
            # A file that was removed meanwhile begins anew; the next start supplies its rows.
            file.write(text if file.tell() else self._headers[name] + text)

    def _cut(self, name: str, n_bytes: int) -> None:
        with self._writing(name):
            os.truncate(self._place / name, n_bytes)

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PevaError(f"output_dir {self.folder}: {name} cannot be written: {error.strerror}") from error
