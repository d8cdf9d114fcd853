"""What a node tells the driver of its fleet."""

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from peva_agents.fleet.exchange import Tables
from peva_env.contracts import ExecutionEvent


class Phase(StrEnum):
    """What a node is doing; the last five are ends.

    ``ASIDE``: it cannot be measured now, as on a busy machine, and asks for another try. ``COMPARING``: its map is
    known, and it computes what was saved.
    """

    WAITING = "waiting"
    STARTING = "starting"
    MEASURING = "measuring"
    RESTARTING = "restarting"
    ASIDE = "aside"
    COMPARING = "comparing"
    COMPLETE = "complete"
    STOPPED = "stopped"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether the campaign has ended."""
        return self in (Phase.COMPLETE, Phase.STOPPED, Phase.BUDGET, Phase.INTERRUPTED, Phase.FAILED)


@dataclass(frozen=True, slots=True)
class NodeState:
    """The state of a node.

    ``n_asked`` is the number of runs for which it has asked; ``n_measured`` and ``n_left`` are configurations, and
    ``n_resolved`` those that became known in this start; ``left_s`` is the machine time that is left at most; ``last``
    is the last verdict, and ``detail`` says why a campaign ended. ``n_alone`` is the number of configurations that the
    agent would have measured without the other nodes, and ``config_s`` the mean machine time of one; None where that is
    not known.
    """

    phase: Phase = Phase.WAITING
    n_asked: int = 0
    n_measured: int = 0
    n_left: int | None = None
    n_resolved: int = 0
    left_s: float | None = None
    last: str = ""
    detail: str = ""
    n_alone: float | None = None
    config_s: float | None = None

    def after(self, before: "NodeState") -> "NodeState":
        """Return the state with the counts of an earlier one until its campaign has loaded its memory."""
        counted = before if self.n_left is None else self
        return replace(
            self,
            n_measured=counted.n_measured,
            n_left=counted.n_left,
            left_s=before.left_s if self.left_s is None else self.left_s,
            last=self.last or before.last,
        )

    def as_data(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Checked:
    """A machine that may begin: the version of its k6, None if it measures without."""

    k6_version: str | None


@dataclass(frozen=True, slots=True)
class News:
    """What is new: ``items`` from number ``first`` on, in order, and the state as version ``version``.

    An item is an event of a run, or tables: all of the node's own memory when a campaign begins and when it ends.
    """

    is_begun: bool
    version: int = 0
    state: NodeState = field(default_factory=NodeState)
    first: int = 0
    items: tuple[ExecutionEvent | Tables, ...] = ()
