"""Faults of the series that a query reads: stored twice, stepping back, or without the labels that the query needs."""

import re
from collections.abc import Sequence

from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.queries import span

_REPLICA_LABELS = ("prometheus_replica", "replica", "receive_replica", "thanos_replica", "__replica__")
"""Labels by which the Prometheus servers of a high-availability pair differ."""

_COUNTER_FUNCTION = re.compile(r"\b(?:rate|irate|increase)\s*\(")
_MATCHED_LABEL = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*[\"'`]")


def duplicate_series(prometheus: Prometheus, selectors: Sequence[str], *, name: str, at: float) -> str | None:
    """Return which label differs if series are stored once for each server of a pair; else None."""
    series = " or ".join(selectors)
    labels = ", ".join(_REPLICA_LABELS)
    if not prometheus.query(f"count without ({labels}) ({series}) > 1", name=name, at=at):
        return None
    found = prometheus.query(f"count by ({labels}) ({series})", name=name, at=at)
    for label in _REPLICA_LABELS:
        values = sorted({one.labels[label] for one in found if label in one.labels})
        if len(values) > 1:
            return (
                f"each series is there {len(values)} times, with {label} {' and '.join(map(repr, values))}: ask one "
                f"Prometheus of the pair, or let Thanos deduplicate by {label}"
            )
    return None


def stepped_back(
    prometheus: Prometheus, text: str, selectors: Sequence[str], *, name: str, start_at: float, end_at: float
) -> str | None:
    """Return which counter of a query on rates decreased within a window, so that the rate is wrong; else None."""
    if not _COUNTER_FUNCTION.search(text):
        return None
    for selector in selectors:
        resets = span(f"resets({selector}[{{time_span}}]) > 0", end_at - start_at)
        for series in prometheus.query(resets, name=name, at=end_at)[:1]:
            labels = ", ".join(f"{label}={value!r}" for label, value in sorted(series.labels.items()))
            return (
                f"the counter {_metric(selector)} of {labels} stepped back in the window of {end_at - start_at:.1f} s"
            )
    return None


def lacking_labels(prometheus: Prometheus, selectors: Sequence[str], *, name: str, at: float) -> str:
    """Return why selectors find no series, to append to a message; empty if the labels are there, with other values."""
    missing: list[str] = []
    for selector in selectors:
        metric, wanted = _metric(selector), list(dict.fromkeys(_MATCHED_LABEL.findall(selector)))
        found = prometheus.query(f"count by ({', '.join(wanted)}) ({metric})", name=name, at=at)
        if not found:
            return f"; there is no series {metric}: is its exporter scraped?"
        lacking = [label for label in wanted if not any(one.labels.get(label) for one in found)]
        if not lacking:
            return ""
        missing += [label for label in lacking if label not in missing]
    return f"; no series of {_metric(selectors[0])} has the label {', '.join(missing)}" if missing else ""


def _metric(selector: str) -> str:
    return selector.partition("{")[0].strip()
