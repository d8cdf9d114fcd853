"""HTTP services as a node under test."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from peva_env.platforms.base import NodeUsage, RemoteMetrics, Usage, require_function
from peva_env.platforms.http.local_services import LocalServices
from peva_env.platforms.http.service import HttpService

LOGGER = logging.getLogger("peva_env.metrics")

_MIN_WINDOW_S = 0.1
_RETRY_S = 1.0
"""Pause before a service that refuses connections is tried once more: a restart takes less."""


class HttpNode:
    """HTTP services under load.

    Args:
        services: the services.
        metrics: measures the machine that they run on; None if nothing does. What services on this machine use is
            measured anyway, where the operating system tells how long processes wait for a core (Linux).
        duration_s: length of a run in seconds.
    """

    def __init__(
        self, services: Sequence[HttpService], *, metrics: RemoteMetrics | None = None, duration_s: float
    ) -> None:
        self.name = f"http:{'+'.join(sorted({service.host for service in services}))}"
        self._services = {service.name: service for service in services}
        self._metrics = metrics
        self._duration_s = duration_s
        self._local: LocalServices | None = None

    def __enter__(self) -> Self:
        """Start the node."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the node."""
        self.stop()

    def start(self) -> None:
        """Call each service once, and check that the machine can be measured, if anything measures it.

        Raises:
            PlatformError: a service cannot be reached, or does not answer with success.
            MetricsError: runs could not be measured.
        """
        for service in self._services.values():
            service.preflight()
        if self._metrics is None:
            LOGGER.warning("metrics: nothing measures CPU and RAM (no prometheus_url); there is no rule on them")
        elif missing := self._metrics.check(self._duration_s):
            LOGGER.warning("metrics: no data so far of %s; runs are valid without", ", ".join(missing))
        if self._local is None:
            self._local = LocalServices.among(list(self._services.values()))

    def stop(self) -> None:
        """Release the metrics; the services stay as they are."""
        if self._metrics is not None:
            self._metrics.close()
        if self._local is not None:
            self._local.close()
            self._local = None

    @property
    def min_window_s(self) -> float:
        """The shortest window that can be measured, in seconds.

        Raises:
            MetricsError: the metrics do not answer.
        """
        return _MIN_WINDOW_S if self._metrics is None else self._metrics.min_window_s

    def url(self, function: str) -> str:
        """Return the address of a service.

        Raises:
            PlatformError: the node has no service of this name.
        """
        require_function(self.name, self._services, function)
        return self._services[function].url

    def describe(self) -> Mapping[str, Any]:
        """Return the addresses of the services, without their query strings, and the revisions that they are asked for.

        Raises:
            PlatformError: a service does not tell its revision.
        """
        urls = {name: service.shown_url for name, service in self._services.items()}
        revisions = {name: revision for name, service in self._services.items() if (revision := service.revision())}
        return {"kind": "http", "name": self.name, "urls": urls} | ({"revisions": revisions} if revisions else {})

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments; without metrics, that of services on this machine only.

        Raises:
            MetricsError: the metrics do not answer.
        """
        local = self._local.usage(start_at, end_at) if self._local is not None else NodeUsage()
        if self._metrics is not None:
            return _with_waits(self._metrics.usage(start_at, end_at), local)
        time.sleep(max(0.0, end_at - time.time()))
        return replace(local, missing=("nothing measures CPU and RAM: set prometheus_url",))

    def failure(self) -> str | None:
        """Return in one line a service that was replaced, or refuses connections, also at a second try; else None."""
        for service in self._services.values():
            if service.unreachable():
                time.sleep(_RETRY_S)
                problem = service.unreachable()
                if problem:
                    return problem
            if replaced := service.replaced():
                return replaced
        return None

    def latencies_ms(self) -> Mapping[str, float | None] | None:
        """Return how long one call of each service takes, in ms, None for a failed one; None if metrics tell more."""
        if self._metrics is not None:
            return None
        return {name: service.latency_ms() for name, service in self._services.items()}


def _with_waits(used: NodeUsage, local: NodeUsage) -> NodeUsage:
    """Add to the use that metrics tell how long services on this machine waited for a core."""
    waits = {
        name: replace(used.functions.get(name, Usage()), waiting_pct=function.waiting_pct)
        for name, function in local.functions.items()
    }
    return replace(used, functions={**used.functions, **waits}, machine=local.machine)
