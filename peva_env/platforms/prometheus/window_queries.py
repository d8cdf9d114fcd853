"""Queries over one window, and the check of their results.

A query has no value if its result is empty, is NaN or is of several machines, if the window has too few samples or a
gap between samples, or if a counter stepped back in the window.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

from peva_env.platforms.prometheus.client import Prometheus, Series
from peva_env.platforms.prometheus.node_finder import Node, cores
from peva_env.platforms.prometheus.queries import Query, range_selectors, span
from peva_env.platforms.prometheus.scrapes import Scrapes, scrapes_between
from peva_env.platforms.prometheus.series_faults import lacking_labels, stepped_back

_LEFT_OUT_S = 0.001
"""Since Prometheus 3 a range excludes a sample exactly at its beginning."""


class _NoValue(Exception):  # noqa: N818 - an expected result, caught in this file
    """The reason why a query has no value in a window."""


class WindowQueries:
    """Evaluates queries over one window; each query without a value gets a line in ``missing``."""

    def __init__(
        self, prometheus: Prometheus, queries: Mapping[str, Query], node: Node, start_at: float, end_at: float
    ) -> None:
        """Store the queries and the window (seconds since the epoch); nothing is sent."""
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
        """Return the mean that a query gives; None if it has no value or is not among the queries."""
        query = self._queries.get(name)
        if query is None:
            return None
        label = f"{name} of {function['function_name']}" if function else name
        text = query.filled({"instance": self._node.instance} | dict(function or {}))
        try:
            return _value(self._evaluated(query, text, label), adds_up=function is not None)
        except _NoValue as reason:
            self.missing.append(f"{label}: {reason}")
            return None

    def _evaluated(self, query: Query, text: str, label: str) -> list[Series]:
        if "{time_span}" in text:
            start_at, end_at = self._scraped(query, text, label)
            return self._prometheus.query(span(text, end_at - start_at), name=label, at=end_at)
        if not query.is_range:
            return self._prometheus.query(text, name=label, at=self._end_at)
        step_s = min(query.step_s, self._node.interval_s)
        return self._prometheus.query_range(
            text, name=label, start_at=self._start_at, end_at=self._end_at, step_s=step_s
        )

    def _scraped(self, query: Query, text: str, label: str) -> tuple[float, float]:
        """Return the times of the first and the last scrape, within the window, of the series that a query reads."""
        selectors = tuple(range_selectors(text))
        if not selectors:  # a subquery: its series are unknown
            return self._start_at, self._end_at
        if selectors not in self._scrapes:
            self._scrapes[selectors] = scrapes_between(
                self._prometheus,
                selectors,
                name=label,
                start_at=self._start_at,
                end_at=self._end_at,
                step_s=self._node.interval_s / 2,
            )
        scrapes = self._scrapes[selectors]
        interval_s = self._node.interval_s
        if query.is_of_function:
            # cAdvisor's samples can be up to ten seconds apart, even if it is scraped more often.
            interval_s = max(interval_s, (self._end_at - self._start_at) / 5)
        if problem := scrapes.problem(interval_s):
            why = "" if scrapes.at else lacking_labels(self._prometheus, selectors, name=label, at=self._end_at)
            raise _NoValue(problem + why)
        start_at, end_at = scrapes.at[0] - _LEFT_OUT_S, scrapes.at[-1]
        problem = stepped_back(self._prometheus, text, selectors, name=label, start_at=start_at, end_at=end_at)
        if problem:
            raise _NoValue(problem)
        return start_at, end_at


def _value(found: Sequence[Series], *, adds_up: bool) -> float:
    """Return the value of a result: the sum over series of each series' mean over its points."""
    if not found:
        raise _NoValue("no data")
    means = [statistics.fmean(value for _, value in series.points) for series in found]
    if any(math.isnan(mean) for mean in means):
        raise _NoValue("gave NaN")
    if len(means) > 1 and not adds_up:
        seen = ", ".join(sorted(series.labels.get("instance", "?") for series in found))
        raise _NoValue(f"gave {len(means)} series ({seen}) where there must be one; select the node's in the query")
    return sum(means)
