"""Records of a map: the origin of a label, the certificate, and contradictions."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from peva_env.space import Config


class Status(IntEnum):
    """The origin of a configuration's label."""

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

    ``open``: at least one of the two must be measured again. ``quarantine``: each keeps its own label, but implies no
    other. ``settled``: one of the two was measured again with another verdict.
    """

    overloaded: Config
    ok: Config
    state: Literal["open", "quarantine", "settled"]
