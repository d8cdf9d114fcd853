"""A node that runs OpenFaaS: its functions are already deployed, and are called through its gateway."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from peva_env.errors import MetricsError, PlatformError
from peva_env.platforms.base import NodeUsage, RemoteMetrics, Usage, require_function
from peva_env.platforms.openfaas.deployed_function import DeployedFunction
from peva_env.platforms.openfaas.gateway import Gateway

LOGGER = logging.getLogger("peva_env.metrics")

_RECOVERY_S = 10.0
"""Default timeout for a function to become ready again after a run. Overload makes readiness probes fail, which does
not invalidate the measurement, and Kubernetes notices the end of the overload some seconds later."""


class OpenFaasNode:
    """Functions behind a gateway; nothing is deployed, scaled or removed.

    Args:
        functions: the functions under load.
        gateway: the gateway that serves them.
        metrics: measures the node; it is used again after ``stop`` and a new ``start``.
        duration_s: length of a run in seconds.
        recovery_s: timeout of ``failure`` for a function without a ready replica, in seconds.
    """

    def __init__(
        self,
        functions: Sequence[DeployedFunction],
        *,
        gateway: Gateway,
        metrics: RemoteMetrics,
        duration_s: float,
        recovery_s: float = _RECOVERY_S,
    ) -> None:
        self.name = f"openfaas:{gateway.host}"
        self._gateway = gateway
        self._metrics = metrics
        self._duration_s = duration_s
        self._recovery_s = recovery_s
        self._functions = {function.name: function for function in functions}
        self._deployed: dict[str, Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        """Start the node."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the node."""
        self.stop()

    def start(self) -> None:
        """Call each function once, after waking those scaled to zero, and check that the node can be measured.

        Optional values without data are logged once, as a warning; runs are valid without them.

        Raises:
            PlatformError: the gateway or a function cannot be reached, is not ready, or does not answer with success.
            MetricsError: runs could not be measured.
        """
        for function in self._functions.values():
            function.preflight()
        if missing := self._metrics.check(self._duration_s):
            LOGGER.warning("metrics: no data so far of %s; runs are valid without", ", ".join(missing))
        self.describe()

    def stop(self) -> None:
        """Discard the recorded deployments and release the metrics; the functions stay deployed."""
        self._deployed = {}
        self._metrics.close()

    @property
    def min_window_s(self) -> float:
        """The shortest window that can be measured, in seconds; it holds two scrapes.

        Raises:
            MetricsError: the metrics do not answer.
        """
        return self._metrics.min_window_s

    def url(self, function: str) -> str:
        """Return the address of a function.

        Raises:
            PlatformError: the node has no function of this name.
        """
        require_function(self.name, self._functions, function)
        return self._functions[function].url

    def describe(self) -> Mapping[str, Any]:
        """Return the gateway and the deployment of each function, as at the first call since ``start``.

        Replicas are not part of the description: the load changes them.

        Raises:
            PlatformError: the gateway does not answer, or with an error.
        """
        if not self._deployed:
            self._deployed = {name: function.state().deployment for name, function in self._functions.items()}
        return {"kind": "openfaas", "gateway": self._gateway.host, "functions": dict(self._deployed)}

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments, and each function's ready replicas as they are now.

        Raises:
            MetricsError: the metrics or the gateway do not answer.
        """
        # Read before the metrics, which wait for scrapes: by then there may be fewer replicas.
        replicas = self._ready_replicas()
        used = self._metrics.usage(start_at, end_at)
        functions = {
            name: replace(used.functions.get(name, Usage()), replicas=replicas[name]) for name in self._functions
        }
        return replace(used, functions=functions)

    def failure(self) -> str | None:
        """Return in one line a function that cannot be measured now, and the reason; None if all can be measured.

        A gateway that is slow after an overload is not a failure: a second request has a longer timeout. A function
        without a ready replica has ``recovery_s`` to recover, and a function that was scaled to zero is woken by a
        call. A redeployed function is a failure: earlier runs measured another deployment.
        """
        for name, function in self._functions.items():
            try:
                deployment = function.require_ready(self._recovery_s).deployment
            except PlatformError as error:
                return str(error)
            before = self._deployed.get(name, deployment)
            if deployment != before:
                changed = next(key for key in before if deployment[key] != before[key])
                return (
                    f"function {name!r} was deployed anew, with {changed} {deployment[changed]!r} instead of "
                    f"{before[changed]!r}: start the campaign again"
                )
        return None

    def _ready_replicas(self) -> dict[str, int]:
        try:
            return {name: function.state().available for name, function in self._functions.items()}
        except PlatformError as error:
            raise MetricsError(f"replicas could not be read: {error}") from error
