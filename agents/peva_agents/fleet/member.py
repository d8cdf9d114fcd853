"""What the driver of a fleet knows of one node."""

import time
from collections import deque
from dataclasses import replace
from typing import Any

from peva_agents.fleet.file import FleetNode
from peva_agents.fleet.news import NodeState, Phase
from peva_env.contracts import ExecutionEvent

AGAIN_S = 0.5
"""How long the driver waits before it tries again."""

_MOST_LESSONS = 256
"""Largest number of other nodes' runs that come with a leave to run; of more, the latest."""

_LOST = "its worker was lost"


class Member:
    """A node of the fleet, its actor, and what the driver waits for.

    ``before`` is the state of the node in an earlier start; ``aside_s`` as in ``FleetDriver``.
    """

    def __init__(self, node: FleetNode, before: NodeState, aside_s: float) -> None:
        self.node, self._aside_s = node, aside_s
        self.actor: Any = None
        self.waits_for: Any = None  # a reference of Ray
        self.is_checked = self.is_begun = False
        self.again_at = 0.0
        self.n_losses = self.n_pauses = 0
        self.after, self.version, self.n_granted = 0, 0, 0
        self.lessons: deque[ExecutionEvent] = deque(maxlen=_MOST_LESSONS)
        self.state = NodeState(n_measured=before.n_measured, n_left=before.n_left)

    @property
    def is_to_check(self) -> bool:
        """Whether a machine is to be asked for its k6."""
        is_idle = self.waits_for is None and not self.state.phase.is_end
        return is_idle and not self.is_checked and time.monotonic() >= self.again_at

    @property
    def is_to_begin(self) -> bool:
        """Whether the campaign may begin."""
        waits = self.state.phase in (Phase.WAITING, Phase.RESTARTING, Phase.ASIDE)
        return waits and self.is_checked and not self.is_begun and time.monotonic() >= self.again_at

    @property
    def is_to_ask(self) -> bool:
        """Whether the campaign has begun, and the driver does not wait for its news yet."""
        return self.is_begun and self.waits_for is None and not self.state.phase.is_end

    @property
    def asks(self) -> bool:
        """Whether the campaign asks for leave to run, and may have it."""
        if self.is_begun and self.state.phase is Phase.ASIDE:
            return self.state.n_asked > self.n_granted and time.monotonic() >= self.again_at
        waits = self.is_begun and self.state.phase is Phase.WAITING
        return waits and self.state.n_asked >= self.n_granted and not self.is_loaded

    @property
    def is_loaded(self) -> bool:
        """Whether the node is under load, or may be at any moment."""
        if self.state.phase.is_end or self.state.phase is Phase.COMPARING or not self.n_granted:
            return False
        if self.state.phase is Phase.ASIDE:
            return self.state.n_asked <= self.n_granted
        return self.state.n_asked < self.n_granted or self.state.phase is not Phase.WAITING

    def follow(self, state: NodeState) -> None:
        """Take over the state that the node tells."""
        if state.phase is Phase.ASIDE and self.state.phase is not Phase.ASIDE:
            self.again_at = time.monotonic() + self._aside_s
        self.state = state.after(self.state)

    def take_lessons(self) -> tuple[ExecutionEvent, ...]:
        """Return the other nodes' runs since the last call."""
        lessons = tuple(self.lessons)
        self.lessons.clear()
        return lessons

    def end(self, phase: Phase, detail: str) -> None:
        """End the campaign, as far as the driver is concerned."""
        self.waits_for = None
        self.state = replace(self.state, phase=phase, detail=detail)

    def put_aside(self, why: str) -> None:
        """Check its machine again later."""
        self.n_pauses += 1
        self.again_at = time.monotonic() + self._aside_s
        self.state = replace(self.state, phase=Phase.ASIDE, detail=why)

    def lost(self, *, counts: bool = True) -> None:
        """Begin anew with another worker; ``counts`` unless it is only that no machine has room for one yet."""
        self.is_checked = self.is_begun = False
        self.waits_for = None
        self.after, self.version, self.n_granted = 0, 0, 0
        self.again_at, self.n_losses = time.monotonic() + AGAIN_S, self.n_losses + counts
        self.state = replace(self.state, phase=Phase.RESTARTING, n_asked=0, detail=_LOST)

    def wait_for_machine(self, lacks: str) -> None:
        """Tell that the worker was lost, and what is lacking for a new one; empty if nothing is."""
        self.state = replace(self.state, detail=f"{_LOST}; {lacks}" if lacks else _LOST)
