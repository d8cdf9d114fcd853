"""Single calls of functions, which tell whether a node is at rest where nothing measures its use."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

_FLOOR_MS = 25.0
"""How far above its idle latency a single call may be: less is the noise of a machine."""

_SHARE = 0.5
"""The same, as a share of the idle latency: single calls vary more than means."""


@runtime_checkable
class ProbedPlatform(Protocol):
    """A platform that can say how long single calls take; the optional method of a ``Platform``."""

    def latencies_ms(self) -> Mapping[str, float | None] | None:
        """Return how long one call of each function takes, in ms, None for a failed one.

        Return None if the platform's ``usage`` tells whether the node is at rest.
        """
        ...


class IdleLatencies:
    """The shortest latency of a single call of each function so far."""

    def __init__(self) -> None:
        self._fastest_ms: dict[str, float] = {}

    def problem(self, latencies_ms: Mapping[str, float | None]) -> str | None:
        """Return a function whose call failed or took much longer than its fastest one; None if the node is at rest."""
        for name, latency_ms in latencies_ms.items():
            if latency_ms is None:
                return f"a single call of {name} failed"
            fastest = self._fastest_ms[name] = min(latency_ms, self._fastest_ms.get(name, latency_ms))
            limit = max(fastest * (1 + _SHARE), fastest + _FLOOR_MS)
            if latency_ms > limit:
                return f"a single call of {name} took {latency_ms:.0f} ms > {limit:.0f} ms, idle are {fastest:.0f} ms"
        return None
