"""Comparing Prometheus' clock with the clock of this machine.

Samples have Prometheus' time, a run has this machine's. A difference is an error and is not compensated: it may change
until the next run, and the clock is the thing to repair.
"""

import time

from peva_env.platforms.prometheus.client import Prometheus

_MAX_SHARE = 0.05
_MIN_TOLERANCE_S = 0.1
_MAX_TOLERANCE_S = 1.0
"""Tolerated difference, as a share of the window and in seconds: that much of the window would lie outside the run."""

_TRIES = 3


def require_same_time(prometheus: Prometheus, window_s: float) -> None:
    """Compare the two clocks, for windows of ``window_s`` seconds.

    Raises:
        MetricsError: they differ by more than 5 % of the window (at least 0.1 s, at most 1 s), or Prometheus
            cannot be reached.
    """
    tolerance_s = min(_MAX_TOLERANCE_S, max(_MIN_TOLERANCE_S, _MAX_SHARE * window_s))
    for _ in range(_TRIES):
        ahead_s, uncertainty_s = _offset_s(prometheus)
        if abs(ahead_s) - uncertainty_s <= tolerance_s:
            return
    direction = "ahead of" if ahead_s > 0 else "behind"
    raise prometheus.error(
        "clock",
        f"is {abs(ahead_s):.1f} s {direction} this machine's, so that the window would miss the run; at most "
        f"{tolerance_s:.1f} s are tolerated for {window_s:.1f} s: let both use the same time server",
    )


def _offset_s(prometheus: Prometheus) -> tuple[float, float]:
    """Return by how much Prometheus is ahead, and the uncertainty of that, in seconds."""
    sent_at = time.time()
    prometheus_at = prometheus.query("time()", name="clock")[0].points[0][1]
    received_at = time.time()
    return prometheus_at - (sent_at + received_at) / 2, (received_at - sent_at) / 2
