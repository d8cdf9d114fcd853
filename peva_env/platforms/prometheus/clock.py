"""Whether Prometheus' clock agrees with ours.

Samples have Prometheus' time, a run has ours. A difference is refused, not compensated: nobody says that it is the same
at the next run, and what must be repaired is the clock.
"""

import time

from peva_env.platforms.prometheus.client import Prometheus

_MAX_SHARE = 0.05
_MIN_TOLERANCE_S = 0.1
_MAX_TOLERANCE_S = 1.0
"""By how much of a window it may lie beside the run: so much of what is measured would be something else's."""

_TRIES = 3


def require_same_time(prometheus: Prometheus, window_s: float) -> None:
    """Compare the clocks, for windows of ``window_s`` seconds.

    Raises:
        MetricsError: they differ by more than 5 % of the window (at least 0.1 s, at most 1 s), or Prometheus is not
            reached.
    """
    tolerance_s = min(_MAX_TOLERANCE_S, max(_MIN_TOLERANCE_S, _MAX_SHARE * window_s))
    for _ in range(_TRIES):
        ahead_s, doubt_s = _offset_s(prometheus)
        if abs(ahead_s) - doubt_s <= tolerance_s:
            return
    raise prometheus.error(
        "clock",
        f"is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's, so that not the run would "
        f"be measured; {tolerance_s:.1f} s would do for {window_s:.1f} s: let both follow the same time server",
    )


def _offset_s(prometheus: Prometheus) -> tuple[float, float]:
    """Return by how much Prometheus is ahead, and how far that may be wrong, in seconds."""
    asked_at = time.time()
    its_time = prometheus.query("time()", name="clock")[0].points[0][1]
    answered_at = time.time()
    return its_time - (asked_at + answered_at) / 2, (answered_at - asked_at) / 2
