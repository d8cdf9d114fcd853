"""CPU, RAM and power of a node and its functions, by way of Prometheus.

Notation: a *window* is the steady part of one run. Every mean is taken between the first and the last scrape inside the
window: nothing from before or after the run enters it, and nothing is extrapolated beyond the samples.
"""

import time
from collections.abc import Mapping, Sequence

from peva_env.platforms.base import NodeUsage, Usage, steady_window
from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.clock import require_same_time
from peva_env.platforms.prometheus.node_finder import Node, find_node
from peva_env.platforms.prometheus.queries import Query, range_selectors, span
from peva_env.platforms.prometheus.scrapes import last_scrape
from peva_env.platforms.prometheus.series_faults import duplicate_series
from peva_env.platforms.prometheus.window_queries import WindowQueries

DEFAULT_NAMESPACE = "openfaas-fn"
"""The namespace in which OpenFaaS deploys functions."""

_MIN_SCRAPES = 2
_MIN_WINDOW_INTERVALS = 2.5
"""A window of so many scrape intervals holds two scrapes even if one of them is late."""

_MOST_PCT = 110.0
"""Percent of the capacity above which a value is impossible, hence missing. Small differences between the times of
scrapes make a busy node seem to use a little over 100 %."""

_POLL_S = 0.05
_SCRAPE_TIMEOUT_INTERVALS = 2.5
_SCRAPE_TIMEOUT_S = 1.0
"""How long the scrape after a window's end is waited for: the sum of so many scrape intervals and seconds."""

_CHECKED_INTERVALS = 3.4
"""How many scrape intervals back ``check`` looks for data of the node; two scrapes are enough."""


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
        """Remember the arguments; nothing is sent before ``check`` or ``usage``.

        Args:
            prometheus: the client.
            queries: the result of ``load_queries``.
            functions: names of the functions under load.
            instance: the node's ``instance`` label; None if Prometheus scrapes one machine only.
            namespace: namespace of functions whose name has none.
            pid_regexes: by function, the regular expression of its processes in Scaphandre's metrics; the power of
                other functions is not measured.
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
        """Check, before any run, that runs of ``duration_s`` seconds can be measured.

        Returns the optional queries that have no data, each with its function.

        Raises:
            MetricsError: Prometheus cannot be reached or its clock differs, the node is not found or not scraped often
                enough, a query is refused, or there is no data of the node's CPU or RAM.
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
        # Another exporter, maybe with a longer interval, measures functions: check a window as long as that of a run.
        longer = self._measured(last - max(window_s, _CHECKED_INTERVALS * node.interval_s), last)
        return tuple(name for name in _names(usage.missing) if name in _names(longer.missing))

    @property
    def min_window_s(self) -> float:
        """The shortest window, in seconds, that always holds two scrapes.

        Raises:
            MetricsError: as ``check``, if ``check`` was not called.
        """
        return _MIN_WINDOW_INTERVALS * self._found().interval_s

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` was scraped.

        CPU is percent of the capacity of the node's cores. A value without data, with NaN or with a gap is None and has
        a line in ``missing``; it is never zero. All series of a function are added up.

        Raises:
            MetricsError: Prometheus cannot be reached, refuses a query, or its clock differs from this machine's.
        """
        node = self._found()
        self._await_scrape(node, end_at)
        self._prometheus.begin_round()
        # The windows of a cooldown are short; a clock that is accurate enough for a run is accurate enough for them.
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
        """Wait until the node was scraped at ``end_at`` or later, or until the timeout of a scrape."""
        time.sleep(max(0.0, end_at - time.time()))
        gives_up_at = time.monotonic() + _SCRAPE_TIMEOUT_INTERVALS * node.interval_s + _SCRAPE_TIMEOUT_S
        while time.monotonic() < gives_up_at:
            self._prometheus.begin_round()
            last = last_scrape(self._prometheus, node.selectors, name="cpu_usage_node")
            if last is not None and last >= end_at:
                return
            time.sleep(_POLL_S)

    def _require_valid_queries(self, node: Node) -> None:
        """Send every query once, so that Prometheus refuses an invalid query now, and look for doubled series."""
        for query in self._queries.values():
            for values in [self._values(name) for name in self._functions] if query.is_of_function else [{}]:
                if query.name != "power_usage_function" or "pid_regex" in values:
                    text = query.filled({"instance": node.instance} | values)
                    self._prometheus.query(span(text, _CHECKED_INTERVALS * node.interval_s), name=query.name)
                    self._require_one_of_each(query.name, range_selectors(text))

    def _require_one_of_each(self, name: str, selectors: Sequence[str]) -> None:
        """Refuse series that two servers of a pair store: sums over them would be doubled."""
        problem = duplicate_series(self._prometheus, selectors, name=name, at=time.time()) if selectors else None
        if problem:
            raise self._prometheus.error(name, problem)

    def _values(self, function: str) -> dict[str, str]:
        """Return the values of the placeholders for a function, whose name may be ``name.namespace``."""
        plain, _, own_namespace = function.rpartition(".")
        values = {"function_name": plain or function, "namespace": own_namespace if plain else self._namespace}
        return values | ({"pid_regex": self._pid_regexes[function]} if function in self._pid_regexes else {})

    def _measured(self, start_at: float, end_at: float) -> NodeUsage:
        queries = WindowQueries(self._prometheus, self._queries, self._found(), start_at, end_at)
        n_cores = queries.cores()
        ram_total_bytes = queries.mean("ram_total_node")
        missing = queries.missing
        node = Usage(
            cpu_pct=_possible("cpu_usage_node", _over(queries.mean("cpu_usage_node"), n_cores), missing),
            ram_bytes=_rounded(queries.mean("ram_usage_node")),
            ram_pct=_possible("ram_usage_node_pct", queries.mean("ram_usage_node_pct"), missing),
            power_uw=queries.mean("power_usage_node"),
        )
        functions = {}
        for function in self._functions:
            values = self._values(function)
            ram_bytes = queries.mean("ram_usage_function", values)
            cpu_pct = _over(queries.mean("cpu_usage_function", values), n_cores)
            functions[function] = Usage(
                cpu_pct=_possible(f"cpu_usage_function of {function}", cpu_pct, missing),
                ram_bytes=_rounded(ram_bytes),
                ram_pct=_over(None if ram_bytes is None else 100 * ram_bytes, ram_total_bytes),
                power_uw=queries.mean("power_usage_function", values) if "pid_regex" in values else None,
            )
        return NodeUsage(node, functions, tuple(missing))


def _names(missing: Sequence[str]) -> list[str]:
    """Return the names of the queries in the lines of ``missing``."""
    return [line.partition(": ")[0] for line in missing]


def _over(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else value / whole


def _possible(name: str, pct: float | None, missing: list[str]) -> float | None:
    """Return a share of the capacity, at most 100; None, with a line in ``missing``, if it is impossible."""
    if pct is None or 0 <= pct <= _MOST_PCT:
        return None if pct is None else min(pct, 100.0)
    missing.append(f"{name}: gave {pct:.0f} % of the capacity, which is impossible")
    return None


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
