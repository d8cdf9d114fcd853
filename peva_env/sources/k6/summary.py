"""Reading the JSON summary of k6."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peva_env.contracts import FunctionMeasurement
from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.backlog import SEGMENTS, backlog
from peva_env.sources.k6.plan import (
    FAILURE_KINDS,
    FunctionLoad,
    scenario,
    segment_latency,
    stalls,
    success_latency,
)
from peva_env.system import json_value


def read_summary(path: Path) -> dict[str, Any]:
    """Return the summary that k6 wrote.

    Raises:
        LoadGeneratorError: there is no summary, or it is not in the format of load.js.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if not text:
            raise LoadGeneratorError(f"k6 wrote an empty summary: is there no room left in {path.parent.parent}?")
        summary = json_value(text)
    except OSError as error:
        raise LoadGeneratorError("k6 wrote no summary") from error
    except ValueError as error:
        raise LoadGeneratorError(f"k6 wrote a summary that is not valid JSON: {error}") from error
    if not isinstance(summary, dict) or not isinstance(summary.get("metrics"), dict):
        raise LoadGeneratorError("k6 wrote a summary without metrics in it")
    return summary


def measurements(
    loads: Sequence[FunctionLoad],
    summary: Mapping[str, Any],
    duration_s: float,
    *,
    may_be_early: bool = False,
    step: str = "",
) -> tuple[FunctionMeasurement, ...]:
    """Return the measurement of each function in a run of ``duration_s``, in the order of ``loads``.

    ``may_be_early`` accepts a run that k6 aborted: only its finished requests are counted, possibly none of a function.
    ``step`` names a step of a stepped run.

    Raises:
        LoadGeneratorError: a metric is missing, a function got no load, or not all requests are accounted for.
    """
    return tuple(
        _measured(load, scenario(index, step), stalls(step), summary["metrics"], duration_s, may_be_early)
        if load.rate_rps
        else unloaded(load)
        for index, load in enumerate(loads)
    )


def unloaded(load: FunctionLoad) -> FunctionMeasurement:
    """Return the measurement of a function at rate 0: no traffic, hence no failure."""
    return FunctionMeasurement(load.name, 0, offered=0, sent=0, dropped=0, succeeded=0, failed={}, success_rate=1.0)


def load_started_at(summary: Mapping[str, Any]) -> float:
    """Return when the scenarios began, in seconds since the epoch: the moment when k6 ran ``setup()``."""
    try:
        return float(summary["setup_data"]["load_started_ms"]) / 1000
    except (KeyError, TypeError, ValueError) as error:
        raise LoadGeneratorError("k6 wrote a summary that does not say when the load began") from error


def ended_early_after(
    loads: Sequence[FunctionLoad],
    functions: Sequence[FunctionMeasurement],
    summary: Mapping[str, Any],
    duration_s: float,
    start_s: float = 0.0,
) -> float | None:
    """Return the seconds after which k6 aborted a run; None if it had offered all requests.

    ``start_s`` is when the counted load began, in seconds after the start of k6's load: the length of a warm-up, or of
    the steps before.
    """
    planned = (math.floor(load.rate_rps * duration_s) for load in loads)
    if all(function.offered >= n for function, n in zip(functions, planned, strict=True)):
        return None
    try:
        return min(duration_s, max(0.0, float(summary["state"]["testRunDurationMs"]) / 1000 - start_s))
    except (KeyError, TypeError, ValueError) as error:
        raise LoadGeneratorError("k6 wrote a summary that does not say how long the run was") from error


def _measured(
    load: FunctionLoad, name: str, stalls: str, metrics: Mapping[str, Any], duration_s: float, may_be_early: bool
) -> FunctionMeasurement:
    sent = _count(metrics, f"iterations{{scenario:{name}}}")
    dropped = _count(metrics, f"dropped_iterations{{scenario:{name}}}")
    answered = _count(metrics, f"http_reqs{{scenario:{name}}}")
    trend = success_latency(name, read_bodies=bool(load.expect and load.expect.reads_body))
    counts = {kind: _count(metrics, f"peva_failures{{scenario:{name},kind:{kind}}}") for kind in FAILURE_KINDS}
    failed = {kind: count for kind, count in counts.items() if count}
    offered, succeeded = sent + dropped, sent - sum(failed.values())
    if not offered and not may_be_early:
        raise LoadGeneratorError(f"k6 sent no request to {load.name!r} at {load.rate_rps} rps")
    if answered != sent or succeeded < 0:
        raise LoadGeneratorError(
            f"k6 started {sent} iterations for {load.name!r} but reports {answered} requests and "
            f"{sum(failed.values())} failures"
        )
    return FunctionMeasurement(
        name=load.name,
        rate_rps=load.rate_rps,
        offered=offered,
        sent=sent,
        dropped=dropped,
        succeeded=succeeded,
        failed=failed,
        success_rate=succeeded / offered if offered else 1.0,
        mean_ms=_latency(metrics, trend, "avg"),
        p50_ms=_latency(metrics, trend, "med"),
        p90_ms=_latency(metrics, trend, "p(90)"),
        p95_ms=_latency(metrics, trend, "p(95)"),
        p99_ms=_latency(metrics, trend, "p(99)"),
        backlog=_backlog(metrics, name, offered, duration_s),
        held_up=min(
            offered, max(round(load.rate_rps * _stalled_s(metrics, stalls)), _surplus(load, offered, duration_s))
        ),
    )


def _backlog(metrics: Mapping[str, Any], name: str, offered: int, duration_s: float) -> int:
    segments = [segment_latency(name, segment) for segment in range(SEGMENTS)]
    medians_ms = [_latency(metrics, segment, "med") for segment in segments]
    return backlog(medians_ms, [_count(metrics, segment) for segment in segments], offered, duration_s)


def _surplus(load: FunctionLoad, offered: int, duration_s: float) -> int:
    """Return the number of requests above the plan; k6 may send one more, at the very end.

    After a stall beyond the end of a run, k6 sends what would have been due until then. The pulse has ended and does
    not report the stall.
    """
    return offered - round(load.rate_rps * duration_s) - 1


def _stalled_s(metrics: Mapping[str, Any], stalls: str) -> float:
    """Return the seconds during which k6 stood still, longer than tolerated each time."""
    return _metric(metrics, stalls, "avg") * _count(metrics, stalls) / 1000


def _latency(metrics: Mapping[str, Any], name: str, statistic: str) -> float | None:
    """Return a latency of successful requests in ms; k6 writes zeros where there were none."""
    return _metric(metrics, name, statistic) if _count(metrics, name) else None


def _count(metrics: Mapping[str, Any], name: str) -> int:
    return int(_metric(metrics, name, "count"))


def _metric(metrics: Mapping[str, Any], name: str, statistic: str) -> float:
    try:
        return float(metrics[name]["values"][statistic])
    except (KeyError, TypeError, ValueError) as error:
        raise LoadGeneratorError(f"k6 wrote a summary without {statistic} of {name}") from error
