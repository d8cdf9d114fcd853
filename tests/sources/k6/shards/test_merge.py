"""The summary of a run from the summaries of its shards."""

from typing import Any

import numpy as np
import pytest

from peva_env.errors import LoadGeneratorError
from peva_env.sources.k6.shards.merge import SHARD_TREND_STATS, merged


def summary(
    samples_ms: list[float], *, failures: int = 0, stalls_ms: list[float] | None = None, ran_ms: float = 2300.0
) -> dict[str, Any]:
    return {
        "metrics": {
            "iterations{scenario:f0}": {
                "type": "counter",
                "values": {"count": len(samples_ms) + failures, "rate": 1.0},
                "thresholds": {"count>=0": {"ok": True}},
            },
            "latency": {"type": "trend", "values": trend(samples_ms)},
            "peva_stalls": {"type": "trend", "values": trend(stalls_ms or [])},
            "http_req_failed": {
                "type": "rate",
                "values": {"rate": 0.0, "passes": failures, "fails": len(samples_ms)},
            },
            "vus_max": {"type": "gauge", "values": {"value": 3, "min": 3, "max": 3}},
        },
        "setup_data": {"ready_ms": 700, "load_started_ms": 1000},
        "state": {"testRunDurationMs": ran_ms},
    }


def trend(samples: list[float]) -> dict[str, float]:
    values = dict.fromkeys(SHARD_TREND_STATS, 0.0) | {"count": len(samples)}
    for key in values if samples else ():
        if key.startswith("p("):
            values[key] = float(np.percentile(samples, float(key[2:-1])))
    return values | ({"avg": float(np.mean(samples)), "med": float(np.median(samples))} if samples else {})


def test_counts_are_added_and_latencies_pooled() -> None:
    found = merged([summary([10, 20, 30]), summary([40], failures=2), summary([])], 5.0)
    metrics = {name: metric["values"] for name, metric in found["metrics"].items()}
    assert metrics["iterations{scenario:f0}"]["count"] == 6
    assert metrics["http_req_failed"] == {"rate": pytest.approx(2 / 6), "passes": 2, "fails": 4}
    assert metrics["vus_max"]["max"] == 9
    assert metrics["latency"] == pytest.approx(
        {"avg": 25, "med": 25, "p(90)": 37, "p(95)": 38.5, "p(99)": 39.7, "count": 4}
    )


def test_a_trend_without_samples_stays_without() -> None:
    found = merged([summary([]), summary([])], 5.0)
    assert found["metrics"]["latency"]["values"]["count"] == 0


def test_a_stalled_k6_holds_up_its_share_of_the_requests() -> None:
    stalls = merged([summary([1], stalls_ms=[400, 200]), summary([1])], 5.0)["metrics"]["peva_stalls"]["values"]
    assert stalls["avg"] * stalls["count"] == pytest.approx(300)


def test_the_run_lasts_as_long_as_its_longest_load_without_the_wait_at_the_gate() -> None:
    found = merged([summary([1], ran_ms=2300), summary([1], ran_ms=2400)], 5.0)
    assert found["state"]["testRunDurationMs"] == 2100
    assert found["setup_data"] == {"load_started_ms": 5000}


def test_a_rule_holds_if_it_holds_everywhere() -> None:
    parts = [summary([1]), summary([1])]
    parts[1]["metrics"]["iterations{scenario:f0}"]["thresholds"]["count>=0"]["ok"] = False
    metric = merged(parts, 5.0)["metrics"]["iterations{scenario:f0}"]
    assert metric["thresholds"] == {"count>=0": {"ok": False}}


def test_a_summary_without_a_percentile_cannot_be_merged() -> None:
    parts = [summary([1]), summary([1])]
    del parts[1]["metrics"]["latency"]["values"]["p(98)"]
    with pytest.raises(LoadGeneratorError, match=r"cannot be merged: KeyError\('p\(98\)'\)"):
        merged(parts, 5.0)
