"""The time of a memory, which never goes back."""

import math
import random
import time
from dataclasses import dataclass, replace

from peva_env.contracts import ExecutionEvent
from peva_env.system import elapsed_s

_CHANCE = random.SystemRandom()
"""No user's seed makes it alike on two nodes, and it takes nothing from their random numbers."""


@dataclass(slots=True)
class MemoryClock:
    """Seconds since the epoch, later than every time that the memory held when a campaign began.

    Campaigns and events are read in the order of their times: the rules of the last campaign count, and a good canary
    confirms the runs before it. Where the machine's clock is behind, because it was set back, this one goes on from the
    latest time, as fast as time passes, until the machine's clock is there again.
    """

    _latest_s: float = 0.0
    _lead_s: float = -math.inf  # of this clock before ``elapsed_s``: the greatest that was seen

    def begin(self, stored_s: float) -> None:
        """Start after the latest time that the memory holds, in seconds since the epoch; 0 if it holds none.

        By chance up to a second after it where the machine's clock is behind: nodes that go on from copies of one
        memory must not begin at one moment, which identifies their campaigns.
        """
        pause_s = _CHANCE.random() if time.time() <= stored_s else 0.0
        self._latest_s = math.nextafter(stored_s + pause_s, math.inf)
        self._lead_s = self._latest_s - elapsed_s()

    def now(self) -> float:
        """Return the time."""
        machine_s, passed_s = time.time(), elapsed_s()  # in this order, so that the lead is never overestimated
        self._lead_s = max(self._lead_s, machine_s - passed_s)
        self._latest_s = max(self._latest_s, passed_s + self._lead_s)
        return self._latest_s

    def ordered(self, event: ExecutionEvent) -> ExecutionEvent:
        """Return an event with the times of one that began after everything before it."""
        if event.started_at < self._latest_s:
            lasted_s = event.ended_at - event.started_at
            event = replace(event, started_at=self._latest_s, ended_at=self._latest_s + lasted_s)
        self._latest_s = max(event.started_at, event.ended_at)  # the clock may have been set back during the run
        return event
