"""What Prometheus is asked about one window, and what of its answers is a value.

An answer is no value if it is empty, NaN, of a window with too few samples or a gap, or of several machines.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

from peva_env.platforms.prometheus.client import Prometheus, Series
from peva_env.platforms.prometheus.node_finder import Node, cores
from peva_env.platforms.prometheus.queries import Query, range_selectors, span
from peva_env.platforms.prometheus.scrapes import Scrapes, scrapes_between

_LEFT_OUT_S = 0.001
"""Since version 3 a range leaves out a sample at its very beginning."""


class _NoData(Exception):  # noqa: N818 - an answer like any other, and never seen outside
    """Why a query has no value in a window."""


class Questions:
    """The queries of one window; what has no value is noted in ``missing``, in one line each."""

    def __init__(
        self, prometheus: Prometheus, queries: Mapping[str, Query], node: Node, start_at: float, end_at: float
    ) -> None:
        """Remember what to ask about which window (seconds since the epoch)."""
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
        return scrapes.at[0] - _LEFT_OUT_S, scrapes.at[-1]


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
