"""What a campaign leaves beside its memory: ``results.csv``, ``skipped.csv``, ``index.csv`` and ``events.jsonl``.

The CSV files have the columns and the order of PEVA-FAAS, so that what reads its recordings reads these. They are only
ever appended to, one write a row, as things happen.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.errors import PevaError
from peva_env.space import ConfigKey

_FUNCTION_COLUMNS = (
    "function",
    "rate_function",
    "success_rate_function",
    "cpu_usage_function",
    "ram_usage_function",
    "power_usage_function",
    "replica",
    "overloaded_function",
    "medium_latency_function",
)
_NODE_COLUMNS = (
    "cpu_usage_idle_node",
    "cpu_usage_node",
    "ram_usage_idle_node",
    "ram_usage_node",
    "ram_usage_idle_node_percentage",
    "ram_usage_node_percentage",
    "power_usage_idle_node",
    "power_usage_node",
    "rest_seconds",
    "overloaded_node",
)


class ArtifactWriter:
    """Appends a campaign's artifacts to one folder.

    Args:
        folder: made when it is not there.
        function_names: the functions of the plan; they fix the columns.

    Raises:
        PevaError: the folder cannot be made or written, or holds results of other functions.
    """

    def __init__(self, folder: str | Path, function_names: Iterable[str]) -> None:
        self.folder = Path(folder)
        self._functions = sorted(function_names)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PevaError(f"output_dir {self.folder}: cannot be made: {error.strerror}") from error
        self._begin("results.csv", ",", _results_header(self._functions))
        self._begin("skipped.csv", ",", _skipped_header(self._functions))
        self._begin("index.csv", ";", ["functions", "rates", "results_file"])

    @property
    def paths(self) -> list[Path]:
        """The files that are there."""
        names = ("results.csv", "skipped.csv", "index.csv", "events.jsonl")
        return [self.folder / name for name in names if (self.folder / name).exists()]

    def record_run(self, event: ExecutionEvent) -> None:
        """Append one run to ``events.jsonl`` and, unless it is INVALID, to ``results.csv``."""
        self._append("events.jsonl", json.dumps(_event_record(event)) + "\n")
        if event.verdict is not Verdict.INVALID:
            self._append("results.csv", _csv_line(_results_row(self._functions, event), ","))

    def record_skips(self, keys: Iterable[ConfigKey]) -> None:
        """Append configurations that need not be run to ``skipped.csv``."""
        lines = (_csv_line(_skipped_row(self._functions, key), ",") for key in keys)
        self._append("skipped.csv", "".join(lines))

    def record_complete(self, key: ConfigKey) -> None:
        """Append a configuration all of whose iterations are done to ``index.csv``."""
        names, rates = key
        self._append("index.csv", _csv_line([str(list(names)), str(list(rates)), "results.csv"], ";"))

    def _begin(self, name: str, delimiter: str, header: Sequence[str]) -> None:
        path = self.folder / name
        line = _csv_line(header, delimiter)
        try:
            found = path.open(encoding="utf-8", newline="").readline() if path.exists() else ""
        except OSError as error:
            raise PevaError(f"output_dir {self.folder}: {name} cannot be read: {error.strerror}") from error
        if not found:
            self._append(name, line)
        elif found != line:
            raise PevaError(f"output_dir {self.folder}: {name} is of other functions; choose another output_dir")

    def _append(self, name: str, text: str) -> None:
        path = self.folder / name
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise PevaError(f"output_dir {self.folder}: {name} cannot be written: {error.strerror}") from error


def _csv_line(values: Sequence[object], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(values)
    return text.getvalue()


def _event_record(event: ExecutionEvent) -> dict[str, object]:
    record = asdict(event)
    del record["raw_summary"]
    names, rates = record.pop("config_key")
    return {"config_id": event.config_id, "config": dict(zip(names, rates, strict=True)), **record}


def _results_header(functions: Sequence[str]) -> list[str]:
    return [f"{column}_{name}" for name in functions for column in _FUNCTION_COLUMNS] + list(_NODE_COLUMNS)


def _skipped_header(functions: Sequence[str]) -> list[str]:
    return [f"{column}_{name}" for name in functions for column in ("function", "rate_function")]


def _skipped_row(functions: Sequence[str], key: ConfigKey) -> list[object]:
    rates = dict(zip(*key, strict=True))
    return [cell for name in functions for cell in ((name, rates[name]) if name in rates else ("", ""))]


def _results_row(functions: Sequence[str], event: ExecutionEvent) -> list[object]:
    measured = {function.name: function for function in event.functions}
    cells: list[object] = []
    for name in functions:
        if name in measured:
            cells += _function_cells(measured[name], overloaded=name in event.overloaded_functions)
        else:
            cells += [""] * len(_FUNCTION_COLUMNS)
    return cells + _node_cells(event)


def _function_cells(function: FunctionMeasurement, *, overloaded: bool) -> list[object]:
    return [
        function.name,
        function.rate_rps,
        _decimal(function.success_rate),
        _decimal(function.cpu_pct),
        _decimal(function.ram_bytes),
        _decimal(function.power_uw),
        "nan" if function.replicas is None else function.replicas,
        int(overloaded),
        "nan" if function.mean_ms is None else round(function.mean_ms),
    ]


def _node_cells(event: ExecutionEvent) -> list[object]:
    node = event.node
    measured = (
        node.idle_cpu_pct,
        node.cpu_pct,
        node.idle_ram_bytes,
        node.ram_bytes,
        node.idle_ram_pct,
        node.ram_pct,
        node.idle_power_uw,
        node.power_uw,
        event.cooldown_s,
    )
    return [*map(_decimal, measured), int(event.verdict is Verdict.OVERLOADED)]


def _decimal(value: float | None) -> str:
    return "nan" if value is None else f"{value:.3f}"
