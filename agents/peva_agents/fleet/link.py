"""The link of a node to the driver of its fleet: items and a state go one way, leave to run the other."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from peva_agents.fleet.exchange import Tables
from peva_agents.fleet.news import News, NodeState, Phase
from peva_env.contracts import ExecutionEvent
from peva_env.system import CommandEnd

_GATHER_S = 0.2
"""How long news waits, once there is some, for what the driver has to answer: a run takes several steps, and each call
costs the driver a millisecond."""


class Stopped(CommandEnd):
    """The fleet stops a campaign before its next run."""


class DriverLink:
    """Keeps what is new until the driver has it, and the leave that the driver gives.

    The thread of the campaign and the driver's calls, which come in threads of their own, use it at the same time.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state = NodeState()
        self._version = 0
        self._first = 0
        self._items: list[ExecutionEvent | Tables] = []
        self._n_granted = 0
        self._is_stopping = False
        self._has_leave = False
        self._lessons: list[ExecutionEvent] = []

    @property
    def state(self) -> NodeState:
        """The state that the driver is told."""
        return self._state

    def news(self, after: int, version: int, wait_s: float) -> News:
        """Return the items from number ``after`` on, and forget earlier ones: the driver has stored them.

        Waits up to ``wait_s`` for an item, or for a state that is newer than ``version``; then a little, until the
        campaign ends or asks for leave.
        """
        with self._changed:
            del self._items[: max(0, after - self._first)]
            self._first = max(self._first, after)
            self._changed.wait_for(lambda: self._items or self._version > version, wait_s)
            self._changed.wait_for(self._waits_for_driver, min(wait_s, _GATHER_S))
            return News(True, self._version, self._state, self._first, tuple(self._items))

    def grant(self, n_runs: int, lessons: Sequence[ExecutionEvent] = ()) -> None:
        """Allow the first ``n_runs`` runs of this campaign; ``lessons`` are runs of other nodes since the last call."""
        with self._changed:
            self._n_granted = max(self._n_granted, n_runs)
            self._lessons += lessons
            self._changed.notify_all()

    def stop(self) -> None:
        """Let the campaign end before its next run."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def tell(self, *items: ExecutionEvent | Tables, **changes: Any) -> None:
        """Send items and the changes of the state."""
        with self._changed:
            self._items += items
            self._state = replace(self._state, **changes)
            self._version += 1
            self._changed.notify_all()

    def wait_for_leave(self, **changes: Any) -> None:
        """Ask for leave to run, with changes of the state, and wait for it; no-op if there is some.

        Raises:
            Stopped: the fleet was stopped.
        """
        with self._changed:
            if not self._has_leave:
                self.tell(phase=Phase.WAITING, n_asked=self._state.n_asked + 1, **changes)
                self._wait_until_granted()
            elif self._is_stopping:
                raise Stopped("the fleet was stopped")

    def put_aside(self, why: str) -> None:
        """Give back the leave to run, if there is some, and ask for another try; wait for it.

        Raises:
            Stopped: the fleet was stopped.
        """
        with self._changed:
            self._has_leave = False
            # Leave for one run more may be on its way from a driver that does not know of this yet.
            n_asked = max(self._state.n_asked, self._n_granted) + 2
            self.tell(phase=Phase.ASIDE, n_asked=n_asked, detail=why)
            self._wait_until_granted()

    def use_leave(self, detail: str) -> None:
        """Tell that a run begins; the next one needs leave of its own."""
        with self._changed:
            self._has_leave = False
            self.tell(phase=Phase.MEASURING, detail=detail)

    def take_lessons(self) -> Sequence[ExecutionEvent]:
        """Return what other nodes have measured since the last call."""
        with self._changed:
            lessons, self._lessons = self._lessons, []
        return lessons

    def _wait_until_granted(self) -> None:
        self._changed.wait_for(lambda: self._is_stopping or not self._asks)
        if self._is_stopping:
            raise Stopped("the fleet was stopped")
        self._has_leave = True
        self.tell(phase=Phase.MEASURING, detail="chooses a configuration")

    @property
    def _asks(self) -> bool:
        return self._state.n_asked > self._n_granted

    def _waits_for_driver(self) -> bool:
        return self._asks or self._state.phase.is_end
