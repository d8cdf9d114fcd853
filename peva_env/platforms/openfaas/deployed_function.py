"""A function behind an OpenFaaS gateway: its address, its readiness, and the reasons of failed calls."""

import time

from peva_env.config import FunctionConfig, request_headers
from peva_env.errors import PlatformError
from peva_env.platforms.openfaas.gateway import FunctionState, Gateway
from peva_env.system import NoResponseError, Response

_COLD_START_S = 120.0
"""Default timeout of a cold start: the gateway itself gives up after 100 s."""

_POLL_S = 0.5
_BY_OPENFAAS = "error finding function"
"""The beginning of the gateway's own 404, sent when it cannot ask its provider about a function."""


class DeployedFunction:
    """A function that is deployed already.

    Args:
        function: name and HTTP request of the function; the name may be ``name.namespace``.
        gateway: the gateway that serves the function.
        namespace: namespace of a function whose name has none; default: the gateway's own.
        timeout_s: timeout of a call, in seconds, when a replica is ready.
        cold_start_timeout_s: timeout, in seconds, for the first ready replica of a function that was scaled to zero.
        poll_s: pause between two requests for the number of replicas, in seconds.
    """

    def __init__(
        self,
        function: FunctionConfig,
        gateway: Gateway,
        *,
        namespace: str | None,
        timeout_s: float,
        cold_start_timeout_s: float = _COLD_START_S,
        poll_s: float = _POLL_S,
    ) -> None:
        self.name = function.name
        plain, _, own_namespace = function.name.rpartition(".")
        self._plain_name = plain or function.name
        self._namespace = own_namespace if plain else namespace
        self._path = f"/function/{self._plain_name}" + (f".{self._namespace}" if self._namespace else "")
        self._function = function
        self._gateway = gateway
        self._timeout_s = timeout_s
        self._cold_start_timeout_s = cold_start_timeout_s
        self._poll_s = poll_s

    @property
    def url(self) -> str:
        """The address of the function."""
        return self._gateway.url + self._path

    def state(self) -> FunctionState:
        """Return the function's replicas and deployment.

        Raises:
            PlatformError: the gateway does not know the function, does not answer, or answers with an error.
        """
        try:
            return self._gateway.state(self._plain_name, self._namespace)
        except PlatformError as error:
            raise PlatformError(f"function {self.name!r}: {error}", is_temporary=error.is_temporary) from error

    def preflight(self) -> None:
        """Wait until a replica is ready, then call the function once, with the same request as the load.

        Raises:
            PlatformError: the function is not deployed, has no ready replica, or did not answer with success in time.
        """
        self.require_ready(self._cold_start_timeout_s)
        response = self._call(self._timeout_s)
        if not response.ok:
            problem = f"answered its first call with {response}: {_remedy(response)}"
            raise self._failure(problem, is_temporary=response.is_busy)

    def require_ready(self, timeout_s: float) -> FunctionState:
        """Return the function's state once a replica is ready; a function scaled to zero is called to wake it.

        Raises:
            PlatformError: no replica was ready after ``timeout_s`` (a call to wake it may take as long again), or the
                gateway starts none.
        """
        state = self.state()
        if state.available:
            return state
        woken = "" if state.replicas else f"; a call to wake it got {self._wake(timeout_s)}"
        deadline = time.monotonic() + timeout_s
        while not (state := self.state()).available:
            if not state.replicas:
                raise self._failure(f"has no replicas{woken}: scale it up, or let the gateway scale from zero")
            if time.monotonic() > deadline:
                wanted = f"has {state.replicas} replica(s), none of them ready"
                problem = f"{wanted} after {timeout_s:g} s{woken}: look at its log"
                raise self._failure(problem, is_temporary=True)
            time.sleep(self._poll_s)
        return state

    def _wake(self, timeout_s: float) -> str:
        # The replicas show the result, not the response: a gateway that gives up on waking answers 200, without a body.
        try:
            return str(self._call(timeout_s))
        except PlatformError as error:
            return str(error)

    def _call(self, timeout_s: float) -> Response:
        call = self._function
        try:
            return self._gateway.invoke(
                self._path, method=call.method, body=call.body, headers=request_headers(call), timeout_s=timeout_s
            )
        except NoResponseError as error:
            raise PlatformError(f"function {self.name!r}: {error}", is_temporary=error.is_temporary) from error

    def _failure(self, problem: str, *, is_temporary: bool = False) -> PlatformError:
        return PlatformError(f"function {self.name!r} at {self.url} {problem}", is_temporary=is_temporary)


def _remedy(response: Response) -> str:
    """Return the meaning of a failed call and what to do about it."""
    if response.status == 404 and response.text.startswith(_BY_OPENFAAS):
        return "the gateway cannot ask its function provider (faas-netes, faasd) for it; look at the provider's log"
    if response.status in range(300, 400):
        return (
            f"redirects (to {response.headers.get('location')!r}) are not followed; correct gateway_url or the function"
        )
    return _REMEDIES.get(response.status) or (
        "look at the function's log" if response.status >= 500 else "correct its method, body or headers"
    )


_REMEDIES = {
    401: "it, or a proxy before the gateway, wants credentials of its own; the gateway's password opens /system/ only",
    403: "it, or a proxy before the gateway, refuses this machine or request; allow it",
    404: "the function is deployed but has nothing at its path; correct its method or the function",
    429: "a limit on its rate or its requests at once (max_inflight) was reached; end other load, or raise the limit",
    502: "the gateway could not reach it, or waited longer than its upstream_timeout; look at the function's log",
    503: "no replica took the call; scale it up, let the gateway scale from zero, or look at the function's log",
    504: "a proxy or the gateway waited too long; look at the function's log, or raise the timeouts on the way",
}
