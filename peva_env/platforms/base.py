"""The contract of a node under test, and what is measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

_WARM_UP_S = 1.0
_WARM_UP_SHARE = 0.2
"""The steady part of a run begins after this share of it, at most ``_WARM_UP_S``."""


def steady_window(started_at: float, duration_s: float) -> tuple[float, float]:
    """Return when the steady part of a run begins and ends, in the time scale of ``started_at`` (seconds)."""
    return started_at + min(_WARM_UP_S, _WARM_UP_SHARE * duration_s), started_at + duration_s


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


@runtime_checkable
class Metrics(Protocol):
    """Measures a node and its functions: psutil on the local node, Prometheus elsewhere."""

    @property
    def look_s(self) -> float:
        """The shortest window, in seconds, whose use can be told.

        Raises:
            MetricsError: what measures cannot be reached to find out.
        """
        ...

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` is covered.

        Raises:
            MetricsError: what measures cannot be reached, or answers with an error, also after its retries.
        """
        ...

    def close(self) -> None:
        """Release everything that is held; may be called twice."""
        ...


class RemoteMetrics(Metrics, Protocol):
    """Measures a node that is not this machine."""

    def check(self, duration_s: float) -> tuple[str, ...]:
        """Find out, before anything runs, whether runs of ``duration_s`` seconds can be measured.

        Returns:
            What a run can do without and has no data now, such as ``cpu_usage_function of figlet``.

        Raises:
            MetricsError: they cannot.
        """
        ...


class Platform(Protocol):
    """A node that serves functions and can be measured."""

    name: str

    @property
    def look_s(self) -> float:
        """The shortest look at the node, in seconds, as ``Metrics`` tells it."""
        ...

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
