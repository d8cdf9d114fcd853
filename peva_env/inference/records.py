"""Records of a map: how a label came about, the certificate, and contradictions."""

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
    """The measured configurations that prove all known labels: the lowest overloaded and the highest OK ones.

    ``least_runs_left`` is a lower bound on the runs that any sound method still needs: it counts groups of unknown
    configurations such that no single run can resolve members of two groups.
    """

    overloaded: list[Config]
    ok: list[Config]
    least_runs_left: int

    def __len__(self) -> int:
        """Return the size of the certificate, in configurations."""
        return len(self.overloaded) + len(self.ok)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A contradiction, present or past: ``ok`` has no lower rate than ``overloaded``.

    ``open``: a side is still to be measured again. ``quarantine``: both sides keep their own labels. ``settled``: one
    side got another verdict.
    """

    overloaded: Config
    ok: Config
    state: Literal["open", "quarantine", "settled"]
