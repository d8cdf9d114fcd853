"""The rows of a campaign's artifacts, with the columns and the order of PEVA-FAAS."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.space import ConfigKey
from peva_env.system import json_value

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


def csv_line(values: Sequence[object], delimiter: str) -> str:
    """Return one line of a CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(values)
    return text.getvalue()


def index_line(key: ConfigKey) -> str:
    """Return a complete configuration's line of ``index.csv``, with Python list literals as PEVA-FAAS wrote them."""
    names, rates = key
    return csv_line([str(list(names)), str(list(rates)), "results.csv"], ";")


def json_line(event: ExecutionEvent) -> str:
    """Return the line of ``events.jsonl`` for a run."""
    return json.dumps(_event_record(event)) + "\n"


def identity(line: str) -> object:
    """Return the identity of a line: the key of an event, or the whole text of a CSV row."""
    if not line.startswith("{"):
        return line
    try:
        record = json_value(line)
        return record["config_id"], record["iteration"], record["repetition"], record["run_id"]
    except (ValueError, KeyError):
        return line


def _event_record(event: ExecutionEvent) -> dict[str, object]:
    record = asdict(event)
    del record["raw_summary"]
    names, rates = record.pop("config_key")
    return {"config_id": event.config_id, "config": dict(zip(names, rates, strict=True)), **record}


def results_header(functions: Sequence[str]) -> list[str]:
    """Return the columns of ``results.csv`` for the functions of a plan."""
    return [f"{column}_{name}" for name in functions for column in _FUNCTION_COLUMNS] + list(_NODE_COLUMNS)


def skipped_header(functions: Sequence[str]) -> list[str]:
    """Return the columns of ``skipped.csv`` for the functions of a plan."""
    return [f"{column}_{name}" for name in functions for column in ("function", "rate_function")]


def skipped_row(functions: Sequence[str], key: ConfigKey) -> list[object]:
    """Return the cells of a skipped configuration; those of functions that it lacks are empty."""
    rates = dict(zip(*key, strict=True))
    return [cell for name in functions for cell in ((name, rates[name]) if name in rates else ("", ""))]


def results_row(functions: Sequence[str], event: ExecutionEvent) -> list[object]:
    """Return the cells of a run: three decimals, ``nan`` if not measured, empty for functions that it lacks."""
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
