"""A node that runs OpenFaaS: its functions are deployed already, and are called through its gateway."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from peva_env.errors import MetricsError, PlatformError
from peva_env.platforms.base import NodeUsage, RemoteMetrics, Usage
from peva_env.platforms.openfaas.deployed_function import DeployedFunction
from peva_env.platforms.openfaas.gateway import Gateway

LOGGER = logging.getLogger("peva_env.metrics")

_RECOVERY_S = 10.0
"""How long a function may take to be ready again. Overload makes readiness probes fail, and that is no fault of the
measurement; Kubernetes needs some seconds to notice that it is over."""


class OpenFaasNode:
    """Functions behind a gateway; nothing is deployed, scaled or removed.

    Args:
        functions: what is called.
        gateway: through which they are called.
        metrics: measures the node; used again if the node is started again after ``stop``.
        duration_s: length of a run in seconds.
    """

    def __init__(
        self, functions: Sequence[DeployedFunction], *, gateway: Gateway, metrics: RemoteMetrics, duration_s: float
    ) -> None:
        self.name = f"openfaas:{gateway.host}"
        self._gateway = gateway
        self._metrics = metrics
        self._duration_s = duration_s
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
        """Call each function once, after waking those that sleep, and see whether the node can be measured.

        What has no data, and no run needs, is logged once as a warning.

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
        """Forget what was deployed and release the metrics; the functions stay as they are."""
        self._deployed = {}
        self._metrics.close()

    @property
    def look_s(self) -> float:
        """The shortest look at the node, in seconds: two scrapes of what measures it.

        Raises:
            MetricsError: what measures the node does not answer.
        """
        return self._metrics.look_s

    def url(self, function: str) -> str:
        """Return where a function is called.

        Raises:
            PlatformError: it is none of the functions of this node.
        """
        if function not in self._functions:
            known = ", ".join(self._functions)
            raise PlatformError(f"the node {self.name} knows no function {function!r}; it knows: {known}")
        return self._functions[function].url

    def describe(self) -> Mapping[str, Any]:
        """Return which gateway it is and how each function is deployed, as it was when first asked for.

        Replicas are not part of it: they are what the load moves.

        Raises:
            PlatformError: the gateway cannot be asked.
        """
        if not self._deployed:
            self._deployed = {name: function.state().deployment for name, function in self._functions.items()}
        return {"kind": "openfaas", "gateway": self._gateway.host, "functions": dict(self._deployed)}

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        """Return the mean use between two moments, and each function's ready replicas as they are now.

        Raises:
            MetricsError: what measures the node, or tells the replicas, does not answer.
        """
        # Before the metrics, which wait for their scrapes: the replicas may be fewer by then.
        replicas = self._ready_replicas()
        used = self._metrics.usage(start_at, end_at)
        functions = {
            name: replace(used.functions.get(name, Usage()), replicas=replicas[name]) for name in self._functions
        }
        return replace(used, functions=functions)

    def failure(self) -> str | None:
        """Return in one line which function cannot be measured now, and why; None while all can.

        The gateway is asked for each function, twice if need be, the second time with patience: one that is slow after
        an overload is no failure. A function without a ready replica has ten seconds to recover; one that was put to
        sleep is woken. A function that was deployed anew is a failure: the runs before were of another one.
        """
        for name, function in self._functions.items():
            try:
                deployment = function.require_ready(_RECOVERY_S).deployment
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
            raise MetricsError(f"replicas were not told: {error}") from error
