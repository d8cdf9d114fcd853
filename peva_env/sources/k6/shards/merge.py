"""The summaries of several k6 as the summary of one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.plan import STALLS, TREND_STATS
from peva_env.sources.k6.shards.quantiles import PERCENTILES, pooled

_PERCENTILE_KEYS = [f"p({percentile:g})" for percentile in PERCENTILES]
SHARD_TREND_STATS = tuple(dict.fromkeys([*TREND_STATS, *_PERCENTILE_KEYS]))
"""The statistics that each k6 tells of its trends."""

_KEPT_PERCENTILES = {"med": 50.0, "p(90)": 90.0, "p(95)": 95.0, "p(99)": 99.0}


def merged(summaries: Sequence[Mapping[str, Any]], load_started_at: float) -> dict[str, Any]:
    """Return the summary of a run from those of its shards.

    Counts are added. Latencies are those of the pooled sample, see ``quantiles``. The length of the run is that of the
    load of the shard that ended last, without the wait at the gate.

    Args:
        summaries: the summaries of the shards.
        load_started_at: when the load began, by our clock.

    Raises:
        LoadGeneratorError: a summary is not in the format of load.js.
    """
    try:
        names = dict.fromkeys(name for summary in summaries for name in summary["metrics"])
        found = {
            name: [summary["metrics"][name] for summary in summaries if name in summary["metrics"]] for name in names
        }
        return {
            **summaries[0],
            "metrics": {name: _metric(name, parts, len(summaries)) for name, parts in found.items()},
            "setup_data": {"load_started_ms": load_started_at * 1000},
            "state": {**summaries[0]["state"], "testRunDurationMs": max(map(_load_ms, summaries))},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise LoadGeneratorError(f"k6 wrote a summary that cannot be merged: {error!r}") from error


def _load_ms(summary: Mapping[str, Any]) -> float:
    """Return how long the load lasted; k6's own figure has its wait at the gate, too."""
    setup = summary["setup_data"]
    return float(summary["state"]["testRunDurationMs"] - (setup["load_started_ms"] - setup["ready_ms"]))


def _metric(name: str, parts: Sequence[Mapping[str, Any]], n_shards: int) -> dict[str, Any]:
    values = [part["values"] for part in parts]
    merged = dict(parts[0])
    if parts[0]["type"] == "trend":
        merged["values"] = _trend(values)
        if name.startswith(STALLS):  # a k6 that stands still holds up its share of the requests
            merged["values"]["avg"] /= n_shards
    elif parts[0]["type"] == "rate":
        passes, fails = (sum(value[key] for value in values) for key in ("passes", "fails"))
        merged["values"] = {"rate": passes / max(1, passes + fails), "passes": passes, "fails": fails}
    else:  # counters, and gauges of virtual users
        merged["values"] = {key: sum(value[key] for value in values) for key in values[0]}
    if "thresholds" in merged:
        rules = merged["thresholds"]
        merged["thresholds"] = {rule: {"ok": all(part["thresholds"][rule]["ok"] for part in parts)} for rule in rules}
    return merged


def _trend(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    counts = [int(value["count"]) for value in values]
    total = sum(counts)
    if not total:
        return {key: values[0][key] for key in TREND_STATS}
    parts = [
        (np.array([value[key] for key in _PERCENTILE_KEYS]), count)
        for value, count in zip(values, counts, strict=True)
        if count
    ]
    samples = pooled(parts)
    at = dict(zip(_KEPT_PERCENTILES, np.percentile(samples, list(_KEPT_PERCENTILES.values())).tolist(), strict=True))
    mean = sum(value["avg"] * count for value, count in zip(values, counts, strict=True)) / total
    return {"avg": mean, **at, "count": total}
