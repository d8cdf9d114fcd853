"""The contract of a node under test, and what is measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Mean use of something over a window; CPU is percent of the node's capacity. None = not measured."""

    cpu_pct: float | None = None
    ram_bytes: int | None = None
    ram_pct: float | None = None
    power_uw: float | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """Mean use of the node and of each of its functions over a window.

    ``missing`` says in one line each what could not be measured although it should have been, and why.
    """

    node: Usage = field(default_factory=Usage)
    functions: Mapping[str, Usage] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


class Metrics(Protocol):
    """Measures a node and its functions: psutil on the local node, Prometheus elsewhere.

    ``look_s`` is the shortest window, in seconds, whose use can be told.
    """

    look_s: float

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` is covered.

        Raises:
            MetricsError: what measures cannot be reached, or answers with an error, also after its retries.
        """
        ...

    def close(self) -> None:
        """Release everything that is held; may be called twice."""
        ...


class Platform(Protocol):
    """A node that serves functions and can be measured; ``look_s`` is that of its ``Metrics``."""

    name: str
    look_s: float

    def start(self) -> None:
        """Bring the functions up and call each once.

        Raises:
            PlatformError: a function cannot be started, reached, or does not answer with success.
        """
        ...

    def stop(self) -> None:
        """Release everything that ``start`` took; may be called twice, and without ``start``."""
        ...

    def url(self, function: str) -> str:
        """Return where a function is called."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return, as plain data, what must be equal for two measurements to be comparable."""
        ...

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments, as ``Metrics`` does."""
        ...

    def failure(self) -> str | None:
        """Return in one line which function is gone and why, or None while all are there."""
        ...
