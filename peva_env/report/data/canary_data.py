"""The canaries as packed columns: where they stand among the runs, and what they measured.

Notation: ``C`` canaries in the order of their measurement.
"""

from bisect import bisect_left
from typing import Any

from peva_env.contracts import ExecutionEvent
from peva_env.maps import NodeMap
from peva_env.report.data.packing import packed, packed_column
from peva_env.report.data.run_data import VERDICTS


def canary_data(node_map: NodeMap) -> dict[str, Any]:
    """Return the canaries in columns of (C,); ``before`` is the number of runs that began before each."""
    canaries = sorted(node_map.canaries, key=lambda event: event.started_at)
    starts = sorted(event.started_at for event in node_map.events)
    return {
        "config": [event.config_pairs for event in canaries],
        "before": packed([bisect_left(starts, event.started_at) for event in canaries], "u4"),
        "verdict": packed([VERDICTS.index(event.verdict) for event in canaries], "u1"),
        "p95Ms": packed_column(map(_p95_ms, canaries), "f4"),
    }


def _p95_ms(event: ExecutionEvent) -> float | None:
    return max((one.p95_ms for one in event.functions if one.p95_ms is not None), default=None)
