"""The times at which Prometheus scraped the series of a query; they show whether a window has enough samples.

The times are read from the samples, not computed from the scrape configuration. So they are right for federated series,
too, and for exporters that set the times of their samples.
"""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from peva_env.platforms.prometheus.client import Prometheus

_LOOKBACK_S = 300.0
_RESOLUTION_S = 0.5
"""Window and resolution of the measurement of the scrape interval; a shorter interval is reported as the resolution."""

_MAX_GAP_INTERVALS = 2.5
"""One lost scrape leaves a gap of two intervals, which does not change the mean of a counter."""


@dataclass(frozen=True, slots=True)
class Scrapes:
    """The times (seconds since the epoch) within a window at which the series of a query were scraped, oldest first."""

    start_at: float
    end_at: float
    at: tuple[float, ...]

    def problem(self, interval_s: float) -> str | None:
        """Return why these scrapes are too few for the mean over the window; None if they are enough."""
        window = f"the window of {self.end_at - self.start_at:.1f} s"
        if not self.at:
            return f"no data in {window}"
        if len(self.at) == 1:
            return f"one sample in {window}, two are needed"
        edges = (self.start_at, *self.at, self.end_at)
        gap_s = max(later - earlier for earlier, later in itertools.pairwise(edges))
        if gap_s > _MAX_GAP_INTERVALS * interval_s:
            return f"a gap of {gap_s:.1f} s in {window}, although there should be a sample every {interval_s:.1f} s"
        return None


def scrapes_between(
    prometheus: Prometheus, selectors: Sequence[str], *, name: str, start_at: float, end_at: float, step_s: float
) -> Scrapes:
    """Return the times at which any series of the selectors was scraped; ``step_s`` <= half the scrape interval.

    Raises:
        MetricsError: Prometheus cannot be reached, or refuses the query.
    """
    # The last sample at every step_s. The range begins before the window and ends after it, because a subquery is
    # evaluated at multiples of its step, and these are not the ends of the window.
    reach_s = end_at - start_at + 4 * step_s
    text = f"{_last_sample(selectors)}[{round(reach_s * 1000)}ms:{round(step_s * 1000)}ms]"
    found = prometheus.query(text, name=name, at=end_at + 2 * step_s)
    times = {round(value, 3) for series in found for _, value in series.points}
    return Scrapes(start_at, end_at, tuple(sorted(at for at in times if start_at <= at <= end_at)))


def last_scrape(prometheus: Prometheus, selectors: Sequence[str], *, name: str) -> float | None:
    """Return the time of the last scrape of any series of the selectors; None without a series that is not stale."""
    found = prometheus.query(_last_sample(selectors), name=name)
    return found[0].points[-1][1] if found else None


def scrape_interval_s(prometheus: Prometheus, selectors: Sequence[str], *, name: str, now: float) -> float | None:
    """Return the median time between two scrapes; None if there were fewer than two in the last five minutes."""
    recent = scrapes_between(
        prometheus, selectors, name=name, start_at=now - _LOOKBACK_S, end_at=now, step_s=_RESOLUTION_S
    )
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(recent.at)]
    return statistics.median(gaps_s) if gaps_s else None


def _last_sample(selectors: Sequence[str]) -> str:
    return f"max({' or '.join(f'timestamp({selector})' for selector in selectors)})"
