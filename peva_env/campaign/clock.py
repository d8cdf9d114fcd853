"""The time that a campaign stores, which never goes back."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from peva_env.contracts import ExecutionEvent


@dataclass(slots=True)
class CampaignClock:
    """Seconds since the epoch, and never before what the campaign has stored.

    Events are read in the order of their times, and what follows a good canary is told by it. If the machine's clock
    was set back between two runs, the times go on from the last one instead, until the machine's clock is there again.
    """

    _latest_s: float = 0.0

    def begin(self, history: Iterable[ExecutionEvent], completed_at: float) -> None:
        """Start from the events of a campaign, and from when it was last complete (s since the epoch; 0 if never)."""
        stored_s = (moment_s for event in history for moment_s in (event.started_at, event.ended_at))
        self._latest_s = max(self._latest_s, completed_at, *stored_s)

    def now(self) -> float:
        """Return the time."""
        self._latest_s = max(self._latest_s, time.time())
        return self._latest_s

    def ordered(self, event: ExecutionEvent) -> ExecutionEvent:
        """Return an event as one that began after everything before it."""
        late_s = max(0.0, self._latest_s - event.started_at)
        if late_s:
            event = replace(event, started_at=event.started_at + late_s, ended_at=event.ended_at + late_s)
        self._latest_s = max(event.started_at, event.ended_at)  # the clock may have been set back during the run
        return event
