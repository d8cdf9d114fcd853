"""The contract of a node under test, and the measurements of its resources."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from peva_env.errors import PlatformError

_WARM_UP_S = 1.0
_WARM_UP_SHARE = 0.2
"""The warm-up is this share of a run, at most ``_WARM_UP_S``; the steady window is the remaining time."""


def steady_window(started_at: float, duration_s: float) -> tuple[float, float]:
    """Return when the steady window of a run begins and ends, in the time scale of ``started_at`` (seconds)."""
    return started_at + min(_WARM_UP_S, _WARM_UP_SHARE * duration_s), started_at + duration_s


def require_function(node: str, known: Collection[str], name: str) -> None:
    """Check that a node has a function of this name.

    Raises:
        PlatformError: it has none; the message names those that it has.
    """
    if name not in known:
        raise PlatformError(f"the node {node} knows no function {name!r}; it knows: {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Usage:
    """Mean resource use of a node or function over a window; CPU is percent of the node's capacity.

    ``waiting_pct`` is the share of the window, in percent, during which the threads of a function were ready to run but
    had no core, added up over the threads. None = not measured.
    """

    cpu_pct: float | None = None
    ram_bytes: int | None = None
    ram_pct: float | None = None
    power_uw: float | None = None
    replicas: int | None = None
    waiting_pct: float | None = None


@dataclass(frozen=True, slots=True)
class MachineUsage:
    """Mean CPU use of all programs on a machine, and of the functions among them, in percent of the machine's cores."""

    cpu_pct: float
    functions_cpu_pct: float


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """Mean resource use of the node and of each of its functions over a window.

    ``machine`` is measured if the functions run on the machine of the load generator. ``missing`` has one line with the
    reason for each value that could not be measured although it should have been.
    """

    node: Usage = field(default_factory=Usage)
    functions: Mapping[str, Usage] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    machine: MachineUsage | None = None


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
            Optional values without data, such as ``cpu_usage_function of figlet``; runs are valid without them.

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
        name: name of the node, one line; two platforms of the same node have the same name.
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
        """Start the functions and call each once.

        When ``start`` returns, every function has answered with success, ``url`` knows each function, and ``failure``
        returns None. If ``start`` raises an exception, it has released everything that it took.

        Raises:
            PlatformError: a function cannot be started or reached, or does not answer with success.
            MetricsError: the node cannot be measured.
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
        """Return the node's properties as plain data: two measurements are comparable only if these are equal.

        The description can be written as JSON. It holds no secret, and nothing that differs between two runs or two
        starts, such as replicas or ports. Two platforms of the same node have the same description.

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
        """Return in one line a function that cannot be measured now, and the reason; None if all can be measured.

        Called before and after each run. Overload, however high, is not a failure. It raises no exception.
        """
        ...
