"""CPU, RAM and power of a node and its functions, by way of Prometheus.

Notation: a *window* is the steady part of one run. Every mean is taken between the first and the last scrape inside the
window, so that nothing before or after the run has a part in it and nothing is extrapolated to where no sample is.
"""

import math
import statistics
import time
from collections.abc import Mapping, Sequence

from peva_env.platforms.base import NodeUsage, Usage, steady_window
from peva_env.platforms.clock import require_same_time
from peva_env.platforms.node_finder import Node, cores, find_node
from peva_env.platforms.prometheus import Prometheus, Series
from peva_env.platforms.queries import Query, range_selectors, span
from peva_env.platforms.scrapes import Scrapes, last_scrape, scrapes_between

_MIN_SCRAPES = 2
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
        namespace: str = "openfaas-fn",
        pid_regexes: Mapping[str, str] | None = None,
        scaphandre: bool = False,
    ) -> None:
        """Remember what to ask; nothing is sent before ``check`` or ``usage``.

        Args:
            prometheus: whom to ask.
            queries: what ``load_queries`` returned.
            functions: names of the functions under load.
            instance: the node's ``instance`` label; None where Prometheus sees one machine only.
            namespace: where the functions are.
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

    def check(self, duration_s: float) -> None:
        """Find out, before anything runs, whether runs of ``duration_s`` seconds can be measured.

        Raises:
            MetricsError: Prometheus is not reached or has another time, the node is not found or not scraped often
                enough, a query is refused, or CPU or RAM of the node have no data.
        """
        start_s, end_s = steady_window(0.0, duration_s)
        window_s = end_s - start_s
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

    @property
    def min_window_s(self) -> float:
        """The shortest window that can be measured."""
        return _MIN_SCRAPES * self._found().interval_s

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
        require_same_time(self._prometheus, end_at - start_at)
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
        """Return what is filled in for a function."""
        values = {"function_name": function, "namespace": self._namespace}
        return values | ({"pid_regex": self._pid_regexes[function]} if function in self._pid_regexes else {})

    def _measured(self, start_at: float, end_at: float) -> NodeUsage:
        questions = _Questions(self._prometheus, self._queries, self._found(), start_at, end_at)
        n_cores = questions.cores()
        ram_total_bytes = questions.mean("ram_total_node")
        node = Usage(
            cpu_pct=_over(questions.mean("cpu_usage_node"), n_cores),
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


class _NoData(Exception):  # noqa: N818 - an answer like any other, and never seen outside
    """Why a query has no value in a window."""


class _Questions:
    """The queries of one window; what has no value is noted in ``missing``."""

    def __init__(
        self, prometheus: Prometheus, queries: Mapping[str, Query], node: Node, start_at: float, end_at: float
    ) -> None:
        self.missing: list[str] = []
        self._prometheus = prometheus
        self._queries = queries
        self._node = node
        self._start_at = start_at
        self._end_at = end_at
        self._scrapes: dict[tuple[str, ...], Scrapes] = {}

    def cores(self) -> float | None:
        """Return the number of the node's cores."""
        found = cores(self._prometheus, self._queries, at=self._end_at).get(self._node.instance, [])
        if len(found) == 1 and found[0] > 0:
            return found[0]
        self.missing.append(f"cores_node: gave {found or 'no data'} for {self._node.instance}")
        return None

    def mean(self, name: str, function: Mapping[str, str] | None = None) -> float | None:
        """Return what a query gives; None if it gives nothing or is not asked."""
        query = self._queries.get(name)
        if query is None:
            return None
        what = f"{name} of {function['function_name']}" if function else name
        text = query.filled({"instance": self._node.instance} | dict(function or {}))
        try:
            return _one(self._answer(query, text, what), adds_up=function is not None)
        except _NoData as reason:
            self.missing.append(f"{what}: {reason}")
            return None

    def _answer(self, query: Query, text: str, what: str) -> list[Series]:
        if "{time_span}" in text:
            start_at, end_at = self._scraped(query, text, what)
            return self._prometheus.query(span(text, end_at - start_at), name=what, at=end_at)
        if not query.is_range:
            return self._prometheus.query(text, name=what, at=self._end_at)
        step_s = min(query.step_s, self._node.interval_s)
        return self._prometheus.query_range(
            text, name=what, start_at=self._start_at, end_at=self._end_at, step_s=step_s
        )

    def _scraped(self, query: Query, text: str, what: str) -> tuple[float, float]:
        """Return the first and the last scrape in the window of what a query reads."""
        selectors = tuple(range_selectors(text))
        if not selectors:  # a subquery: what it reads is not known
            return self._start_at, self._end_at
        if selectors not in self._scrapes:
            self._scrapes[selectors] = scrapes_between(
                self._prometheus,
                selectors,
                name=what,
                start_at=self._start_at,
                end_at=self._end_at,
                step_s=self._node.interval_s / 2,
            )
        scrapes = self._scrapes[selectors]
        interval_s = self._node.interval_s
        if query.is_of_function:
            # cAdvisor's samples may be as much as ten seconds apart however often it is scraped.
            interval_s = max(interval_s, (self._end_at - self._start_at) / 5)
        if problem := scrapes.problem(interval_s):
            raise _NoData(problem)
        return scrapes.at[0], scrapes.at[-1] + 0.001  # newer versions leave out a sample at the very beginning


def _one(answer: Sequence[Series], *, adds_up: bool) -> float:
    """Return the one value of an answer: the mean of each series over its points, the sum over series."""
    if not answer:
        raise _NoData("no data")
    means = [statistics.fmean(value for _, value in series.points) for series in answer]
    if any(math.isnan(mean) for mean in means):
        raise _NoData("gave NaN")
    if len(means) > 1 and not adds_up:
        seen = ", ".join(sorted(series.labels.get("instance", "?") for series in answer))
        raise _NoData(f"gave {len(means)} series ({seen}) where there must be one; select the node's in the query")
    return sum(means)


def _over(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else value / whole


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
