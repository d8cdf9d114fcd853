"""The contract of a node under test, and the measurements of its resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

_WARM_UP_S = 1.0
_WARM_UP_SHARE = 0.2
"""The warm-up is this share of a run, at most ``_WARM_UP_S``; the steady window is the rest."""


def steady_window(started_at: float, duration_s: float) -> tuple[float, float]:
    """Return when the steady window of a run begins and ends, in the time scale of ``started_at`` (seconds)."""
    return started_at + min(_WARM_UP_S, _WARM_UP_SHARE * duration_s), started_at + duration_s


@dataclass(frozen=True, slots=True)
class Usage:
    """Mean resource use of a node or function over a window; CPU is percent of the node's capacity.

    None = not measured.
    """

    cpu_pct: float | None = None
    ram_bytes: int | None = None
    ram_pct: float | None = None
    power_uw: float | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """Mean resource use of the node and of each of its functions over a window.

    ``missing`` has one line for each value that should have been measured and was not, with the reason.
    """

    node: Usage = field(default_factory=Usage)
    functions: Mapping[str, Usage] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@runtime_checkable
class Metrics(Protocol):
    """Measures a node and its functions: psutil on the local node, Prometheus elsewhere."""

    @property
    def min_window_s(self) -> float:
        """The shortest window that can be measured, in seconds.

        Raises:
            MetricsError: the metrics cannot be reached.
        """
        ...

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` is covered.

        Raises:
            MetricsError: the metrics cannot be reached, or answer with an error, also after retries.
        """
        ...

    def close(self) -> None:
        """Release every resource; may be called twice."""
        ...


class RemoteMetrics(Metrics, Protocol):
    """Measures a node that is not this machine."""

    def check(self, duration_s: float) -> tuple[str, ...]:
        """Check, before any run, that runs of ``duration_s`` seconds can be measured.

        Returns:
            Values that have no data now and that no run needs, such as ``cpu_usage_function of figlet``.

        Raises:
            MetricsError: runs cannot be measured.
        """
        ...


@runtime_checkable
class Platform(Protocol):
    """A node that serves functions and can be measured.

    The life of a platform: ``start``; then ``url``, ``usage`` and ``failure``, as often as needed; then ``stop``. After
    ``stop`` it may be started again. ``describe`` may be called at any time. One thread uses a platform at a time.
    ``peva_env.testing.PlatformContract`` tests an implementation.

    Attributes:
        name: of the node, one line; the same for two platforms of the same node.
    """

    name: str

    @property
    def min_window_s(self) -> float:
        """The shortest window that ``usage`` can measure, in seconds; above 0.

        Raises:
            MetricsError: as ``Metrics.min_window_s``.
        """
        ...

    def start(self) -> None:
        """Bring the functions up and call each once.

        When it returns, every function has answered with success, ``url`` knows each, and ``failure`` returns None.
        When it raises, ``start`` has released everything that it took.

        Raises:
            PlatformError: a function cannot be started or reached, or does not answer with success.
            MetricsError: the node could not be measured.
        """
        ...

    def stop(self) -> None:
        """Release everything that ``start`` took; may be called twice, and without ``start``."""
        ...

    def url(self, function: str) -> str:
        """Return the http or https address of a function, which stays the same from ``start`` to ``stop``.

        Raises:
            PlatformError: the node serves no function of this name; the message names the functions that it serves.
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return, as plain data, what must be equal for two measurements to be comparable.

        The description holds no secret, and nothing that load changes, such as replicas or ports; it can be written as
        JSON, and two platforms of the same node have the same.

        Raises:
            PlatformError: the description cannot be read.
        """
        ...

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments in seconds since the epoch; waits until ``end_at`` is covered.

        Only functions of the platform have a use. CPU and RAM of the node are 0..100 percent of its capacity. A value
        that was not measured is None, never 0.

        Raises:
            MetricsError: as ``Metrics.usage``.
        """
        ...

    def failure(self) -> str | None:
        """Return in one line which function cannot be measured now, and why; None if there is none.

        It is called before and after each run: load alone, however high, is no failure. It raises nothing.
        """
        ...
