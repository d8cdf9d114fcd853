"""CPU, RAM and power of a node and its functions, by way of Prometheus.

Notation: a *window* is the steady part of one run. Every mean is taken between the first and the last scrape inside the
window, so that nothing before or after the run has a part in it and nothing is extrapolated to where no sample is.
"""

import time
from collections.abc import Mapping, Sequence

from peva_env.platforms.base import NodeUsage, Usage, steady_window
from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.clock import require_same_time
from peva_env.platforms.prometheus.node_finder import Node, find_node
from peva_env.platforms.prometheus.queries import Query, span
from peva_env.platforms.prometheus.questions import Questions
from peva_env.platforms.prometheus.scrapes import last_scrape

DEFAULT_NAMESPACE = "openfaas-fn"
"""Where OpenFaaS has its functions."""

_MIN_SCRAPES = 2
_MIN_WINDOW_INTERVALS = 2.5
"""So long a window holds two scrapes even if one of them is late."""

_POLL_S = 0.05
_PATIENCE_INTERVALS = 2.5
_PATIENCE_S = 1.0
"""How long after a window's end the scrape that covers it may come: so many intervals and seconds."""

_CHECKED_INTERVALS = 3.4
"""How far back ``check`` looks for data of the node: two scrapes are enough, where there are no more yet."""


class PrometheusMetrics:
    """Measures one node that Prometheus scrapes, and the functions on it."""

    def __init__(
        self,
        prometheus: Prometheus,
        queries: Mapping[str, Query],
        functions: Sequence[str],
        *,
        instance: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        pid_regexes: Mapping[str, str] | None = None,
        scaphandre: bool = False,
    ) -> None:
        """Remember what to ask; nothing is sent before ``check`` or ``usage``.

        Args:
            prometheus: whom to ask.
            queries: what ``load_queries`` returned.
            functions: names of the functions under load.
            instance: the node's ``instance`` label; None where Prometheus sees one machine only.
            namespace: where the functions are whose name has none.
            pid_regexes: a function's processes in Scaphandre's metrics; a function without has no power.
            scaphandre: whether power is measured.
        """
        self._prometheus = prometheus
        self._queries = {name: query for name, query in queries.items() if scaphandre or not query.of_scaphandre}
        self._functions = list(functions)
        self._wanted_instance = instance
        self._namespace = namespace
        self._pid_regexes = dict(pid_regexes or {})
        self._node: Node | None = None
        self._run_window_s = 0.0

    def check(self, duration_s: float) -> tuple[str, ...]:
        """Find out, before anything runs, whether runs of ``duration_s`` seconds can be measured.

        Returns the queries without which a run can be judged and which have no data, each with its function.

        Raises:
            MetricsError: Prometheus is not reached or has another time, the node is not found or not scraped often
                enough, a query is refused, or CPU or RAM of the node have no data.
        """
        start_s, end_s = steady_window(0.0, duration_s)
        window_s = self._run_window_s = end_s - start_s
        self._prometheus.begin_round()
        require_same_time(self._prometheus, window_s)
        node = self._node = find_node(self._prometheus, self._queries, self._wanted_instance)
        if window_s < _MIN_SCRAPES * node.interval_s:
            raise self._prometheus.error(
                "scrape interval",
                f"{node.instance} is scraped every {node.interval_s:.1f} s, but the steady part of a run is "
                f"{window_s:.1f} s and must hold {_MIN_SCRAPES} scrapes; set scrape_interval to "
                f"{window_s / _MIN_SCRAPES:.1f}s or less in prometheus.yml, or a longer duration",
            )
        self._prometheus.begin_round()
        self._require_valid_queries(node)
        last = last_scrape(self._prometheus, node.selectors, name="cpu_usage_node") or time.time()
        usage = self._measured(last - _CHECKED_INTERVALS * node.interval_s, last)
        if usage.node.cpu_pct is None or usage.node.ram_pct is None:
            lines = "; ".join(line for line in usage.missing if "_node" in line.partition(":")[0])
            raise self._prometheus.error(node.instance, f"cannot be measured: {lines}; does its node exporter run?")
        # Functions are scraped by another exporter, maybe less often: what a whole run would see counts.
        longer = self._measured(last - max(window_s, _CHECKED_INTERVALS * node.interval_s), last)
        return tuple(name for name in _names(usage.missing) if name in _names(longer.missing))

    @property
    def min_window_s(self) -> float:
        """The shortest window, in seconds, in which there are always two scrapes.

        Raises:
            MetricsError: as in ``check``, if that was not called.
        """
        return _MIN_WINDOW_INTERVALS * self._found().interval_s

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` was scraped.

        CPU is percent of the capacity of the node's cores. What has no data, NaN or a gap is None and has its line in
        ``missing``; it is never zero. Of a function all series are added up.

        Raises:
            MetricsError: Prometheus is not reached, refuses a query, or has another time than this machine.
        """
        node = self._found()
        self._await_scrape(node, end_at)
        self._prometheus.begin_round()
        # A look at the node between runs may be short; a clock that is good enough for a run is for it, too.
        require_same_time(self._prometheus, max(end_at - start_at, self._run_window_s))
        return self._measured(start_at, end_at)

    def close(self) -> None:
        """Close the connection."""
        self._prometheus.close()

    def _found(self) -> Node:
        if self._node is None:
            self._prometheus.begin_round()
            self._node = find_node(self._prometheus, self._queries, self._wanted_instance)
        return self._node

    def _await_scrape(self, node: Node, end_at: float) -> None:
        """Return when the node was scraped at ``end_at`` or later, or does not seem to be scraped any more."""
        time.sleep(max(0.0, end_at - time.time()))
        gives_up_at = time.monotonic() + _PATIENCE_INTERVALS * node.interval_s + _PATIENCE_S
        while time.monotonic() < gives_up_at:
            self._prometheus.begin_round()
            last = last_scrape(self._prometheus, node.selectors, name="cpu_usage_node")
            if last is not None and last >= end_at:
                return
            time.sleep(_POLL_S)

    def _require_valid_queries(self, node: Node) -> None:
        """Have every query evaluated once, whether there is data or not."""
        for query in self._queries.values():
            for values in [self._values(name) for name in self._functions] if query.is_of_function else [{}]:
                if query.name != "power_usage_function" or "pid_regex" in values:
                    text = query.filled({"instance": node.instance} | values)
                    self._prometheus.query(span(text, _CHECKED_INTERVALS * node.interval_s), name=query.name)

    def _values(self, function: str) -> dict[str, str]:
        """Return what is filled in for a function, which may be called ``name.namespace``."""
        plain, _, own_namespace = function.rpartition(".")
        values = {"function_name": plain or function, "namespace": own_namespace if plain else self._namespace}
        return values | ({"pid_regex": self._pid_regexes[function]} if function in self._pid_regexes else {})

    def _measured(self, start_at: float, end_at: float) -> NodeUsage:
        questions = Questions(self._prometheus, self._queries, self._found(), start_at, end_at)
        n_cores = questions.cores()
        ram_total_bytes = questions.mean("ram_total_node")
        node = Usage(
            cpu_pct=_at_most_all(_over(questions.mean("cpu_usage_node"), n_cores)),
            ram_bytes=_rounded(questions.mean("ram_usage_node")),
            ram_pct=questions.mean("ram_usage_node_pct"),
            power_uw=questions.mean("power_usage_node"),
        )
        functions = {}
        for function in self._functions:
            values = self._values(function)
            ram_bytes = questions.mean("ram_usage_function", values)
            functions[function] = Usage(
                cpu_pct=_over(questions.mean("cpu_usage_function", values), n_cores),
                ram_bytes=_rounded(ram_bytes),
                ram_pct=_over(None if ram_bytes is None else 100 * ram_bytes, ram_total_bytes),
                power_uw=questions.mean("power_usage_function", values) if "pid_regex" in values else None,
            )
        return NodeUsage(node, functions, tuple(questions.missing))


def _names(missing: Sequence[str]) -> list[str]:
    """Return of which queries the lines of ``missing`` tell."""
    return [line.partition(": ")[0] for line in missing]


def _over(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else value / whole


def _at_most_all(pct: float | None) -> float | None:
    """Return percent of a whole; scrapes and cores are not read at one instant, and a busy node seems to exceed it."""
    return None if pct is None else min(pct, 100.0)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
