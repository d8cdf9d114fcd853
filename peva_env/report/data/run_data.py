"""The runs as packed columns: a summary of the runs of each configuration, and each run by itself.

Notation: ``M`` configurations that were run, in the order of their first run, ``E`` runs in the order of their
measurement, and a row for each run and function.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from peva_env.config import LATENCIES
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.maps import NodeMap
from peva_env.report.data.packing import packed, packed_column
from peva_env.rules import majority
from peva_env.space import ConfigKey, config_pairs

VERDICTS = (Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID)
"""A verdict is stored as its index here; ``data.js`` has the same list."""


def column_name(latency: str) -> str:
    """Return the name of a latency's column: ``p95Ms`` for ``p95_ms``."""
    return latency.replace("_ms", "Ms")


def summary_data(node_map: NodeMap) -> dict[str, Any]:
    """Return the majority and the means of each configuration's valid runs, in columns of (M,)."""
    keys, n_runs = _keys(node_map), Counter(event.config_key for event in node_map.events)
    valid = [node_map.runs.get(key, []) for key in keys]
    verdicts = [majority(run.verdict for run in runs) for runs in valid]
    agreeing = [sum(run.verdict is verdict for run in runs) for runs, verdict in zip(valid, verdicts, strict=True)]

    def means(values: Callable[[ExecutionEvent], Iterable[float | None]]) -> dict[str, str] | None:
        return packed_column((_mean(value for run in runs for value in values(run)) for runs in valid), "f4")

    return {
        "configs": packed([node_map.known.space.index(config_pairs(key)) for key in keys], "u4"),
        "summaries": {
            "verdict": packed([VERDICTS.index(verdict) for verdict in verdicts], "u1"),
            "nRuns": packed([n_runs[key] for key in keys], "u4"),
            "nValid": packed([len(runs) for runs in valid], "u4"),
            "nAgreeing": packed(agreeing, "u4"),
            "success": means(lambda run: (one.success_rate for one in run.functions if one.offered)),
            "p95Ms": means(lambda run: (one.p95_ms for one in run.functions)),
            "cpuPct": means(lambda run: [run.node.cpu_pct]),
            "ramPct": means(lambda run: [run.node.ram_pct]),
            "margin": means(lambda run: [run.margin]),
            "confidence": packed_column((_confidence(node_map, key) for key in keys), "f4"),
        },
    }


def run_data(node_map: NodeMap) -> dict[str, Any]:
    """Return each run, in columns of (E,), and the measurements of its functions."""
    events = node_map.events
    place = {key: row for row, key in enumerate(_keys(node_map))}
    campaign = {record.run_id: row for row, record in enumerate(node_map.campaigns)}
    reasons: dict[tuple[str, ...], int] = {}

    def runs(kind: str, value: Callable[[ExecutionEvent], Any]) -> dict[str, str] | None:
        return packed_column(map(value, events), kind)

    return {
        "runs": {
            "config": runs("u4", lambda event: place[event.config_key]),
            "campaign": runs("u2", lambda event: campaign.get(event.run_id, len(campaign))),
            "iteration": runs("i4", lambda event: event.iteration),
            "verdict": runs("u1", lambda event: VERDICTS.index(event.verdict)),
            "nFunctions": runs("u2", lambda event: len(event.functions)),
            "reasons": runs("u4", lambda event: reasons.setdefault(event.reasons, len(reasons))),
            "margin": runs("f4", lambda event: event.margin),
            "cpuPct": runs("f4", lambda event: event.node.cpu_pct),
            "ramPct": runs("f4", lambda event: event.node.ram_pct),
            "idleCpuPct": runs("f4", lambda event: event.node.idle_cpu_pct),
            "startedAt": runs("f8", lambda event: event.started_at),
            "cooldownS": runs("f4", lambda event: event.cooldown_s),
            "durationS": runs("f4", lambda event: event.duration_s),
            "costS": runs("f4", lambda event: event.cost_s),
        },
        "runFunctions": _function_data(events),
        "reasons": list(reasons),
    }


def _function_data(events: Sequence[ExecutionEvent]) -> dict[str, dict[str, str] | None]:
    """Return the measurements of the functions of all runs, in columns with a row for each run and function."""
    measured = [function for event in events for function in event.functions]

    def functions(kind: str, value: Callable[[FunctionMeasurement], Any]) -> dict[str, str] | None:
        return packed_column(map(value, measured), kind)

    return {
        "offered": functions("f8", lambda one: one.offered),
        "dropped": functions("f8", lambda one: one.dropped),
        "success": functions("f4", lambda one: one.success_rate),
        **{column_name(name): functions("f4", attrgetter(name)) for name in LATENCIES},
        "cpuPct": functions("f4", lambda one: one.cpu_pct),
        "replicas": functions("f4", lambda one: one.replicas),
    }


def _confidence(node_map: NodeMap, key: ConfigKey) -> float | None:
    return node_map.confidence(config_pairs(key)) if key in node_map.runs else None


def _keys(node_map: NodeMap) -> Sequence[ConfigKey]:
    return list(dict.fromkeys(event.config_key for event in node_map.events))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None
