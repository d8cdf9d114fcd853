"""Ending a run as soon as its verdict is decided, OK or OVERLOADED, by a sequential test.

What must always hold:

- A run is ended only where the verdict of the whole run is decided at a stated error rate (``ERROR_RATE``). Where a
  value is missing, nothing is decided, and the run goes on to its end.
- A run is ended as OK only if its queues do not grow: a load slightly above the capacity looks OK at first.
- What is stored of an ended run decides its verdict (``judge_stopped``), so that it can be recomputed at any time.
"""

from peva_env.rules.sequential.bounds import backlog_of
from peva_env.rules.sequential.part import ERROR_RATE, STOPPED, judge_stopped, slow_ms
from peva_env.rules.sequential.watch import LEAST_GROWTH, Ending, Part, Reading, Watch

__all__ = [
    "ERROR_RATE",
    "LEAST_GROWTH",
    "STOPPED",
    "Ending",
    "Part",
    "Reading",
    "Watch",
    "backlog_of",
    "judge_stopped",
    "slow_ms",
]
