"""Finding the node among the machines that Prometheus scrapes, with its cores and its scrape interval."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.queries import Query, range_selectors
from peva_env.platforms.prometheus.scrapes import scrape_interval_s

_SECOND_SCRAPE_TIMEOUT_S = 3.0
_POLL_S = 0.2
"""Timeout for the second scrape of the node by a Prometheus that has just been started."""

_MAX_NAMED = 8


@dataclass(frozen=True, slots=True)
class Node:
    """The node: its ``instance`` label, its scrape interval, and the selectors of the series that give its CPU."""

    instance: str
    interval_s: float
    selectors: tuple[str, ...]


def find_node(prometheus: Prometheus, queries: Mapping[str, Query], wanted: str | None) -> Node:
    """Find the node by its ``instance`` label, or as the only machine; waits for its second scrape.

    Raises:
        MetricsError: no machine has the label, there are several machines and no label is given, or the node is not
            scraped.
    """
    gives_up_at = time.monotonic() + _SECOND_SCRAPE_TIMEOUT_S
    while True:
        machines = cores(prometheus, queries)
        instance = _chosen(prometheus, machines, wanted)
        if instance is not None:
            selectors = _cpu_selectors(queries, instance)
            interval_s = scrape_interval_s(prometheus, selectors, name="cpu_usage_node", now=time.time())
            if interval_s is not None:
                return Node(instance, interval_s, selectors)
        if time.monotonic() >= gives_up_at:
            raise prometheus.error("cores_node", _what_is_missing(machines, wanted))
        time.sleep(_POLL_S)


def cores(prometheus: Prometheus, queries: Mapping[str, Query], *, at: float | None = None) -> dict[str, list[float]]:
    """Return the number of cores of each machine, by ``instance`` label; several numbers if several jobs scrape it.

    Raises:
        MetricsError: Prometheus cannot be reached, or refuses the query.
    """
    found: dict[str, list[float]] = {}
    for series in prometheus.query(queries["cores_node"].filled({}), name="cores_node", at=at):
        found.setdefault(series.labels.get("instance", ""), []).append(series.points[-1][1])
    return found


def _chosen(prometheus: Prometheus, machines: Mapping[str, Sequence[float]], wanted: str | None) -> str | None:
    """Return the ``instance`` label of the node; None if it is not among the machines yet."""
    if wanted is None and len(machines) > 1:
        remedy = f"set prometheus_instance to the node's: {_names(machines)}"
        raise prometheus.error("cores_node", f"there are {len(machines)} machines; {remedy}")
    instance = next(iter(machines), None) if wanted is None else wanted
    if instance is None or instance not in machines:
        return None
    if len(machines[instance]) > 1:
        raise prometheus.error(
            "cores_node", f"{instance} is scraped by several jobs, and its CPU would be counted twice; scrape it by one"
        )
    return instance


def _cpu_selectors(queries: Mapping[str, Query], instance: str) -> tuple[str, ...]:
    """Return the selectors of the CPU query, or a selector of ``up`` if none can be recognised in the query."""
    found = range_selectors(queries["cpu_usage_node"].filled({"instance": instance}))
    return tuple(found) or (Query("up", 'up{instance="{instance}"}').filled({"instance": instance}),)


def _what_is_missing(machines: Mapping[str, Sequence[float]], wanted: str | None) -> str:
    if not machines:
        return "no data: it scrapes no node exporter; add the node's to its targets"
    if wanted is not None and wanted not in machines:
        return f"there is no instance {wanted!r}; set prometheus_instance to one of {_names(machines)}"
    instance = wanted or next(iter(machines))
    return f"{instance} was not scraped twice in the last five minutes; see the page Status, Targets"


def _names(machines: Mapping[str, Sequence[float]]) -> str:
    names = sorted(machines)
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
