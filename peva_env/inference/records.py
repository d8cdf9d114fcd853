"""What a map tells of its configurations: how each is known, what proves them, and what contradicts what."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from peva_env.space import Config


class Status(IntEnum):
    """How a configuration's label came about."""

    UNKNOWN = 0
    INFERRED = 1
    MEASURED = 2
    CONTRADICTED = 3


@dataclass(frozen=True, slots=True)
class Certificate:
    """The measured configurations that prove what is known: the lowest overloaded and the highest OK ones.

    ``least_runs_left`` is a number of runs that no sound method can do without: one for each group of unknown
    configurations that no single run can reach together with another group.
    """

    overloaded: list[Config]
    ok: list[Config]
    least_runs_left: int

    def __len__(self) -> int:
        """Return how many configurations prove what is known."""
        return len(self.overloaded) + len(self.ok)


@dataclass(frozen=True, slots=True)
class Dispute:
    """Two measured configurations that contradict each other, or did: ``ok`` has no lower rate than ``overloaded``.

    ``open``: one of them is still to be measured again. ``quarantine``: both stand for themselves. ``settled``: one
    turned out otherwise.
    """

    overloaded: Config
    ok: Config
    state: Literal["open", "quarantine", "settled"]
