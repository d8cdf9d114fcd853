"""One function behind an OpenFaaS gateway: where it is called, whether it is ready, and why a call failed."""

import time

from peva_env.config import FunctionConfig
from peva_env.errors import PlatformError
from peva_env.platforms.openfaas.gateway import FunctionState, Gateway
from peva_env.system import Answer, NoAnswerError

_COLD_START_S = 120.0
"""How long a function that sleeps may take to wake: the gateway itself gives up after 100 s."""

_POLL_S = 0.5
_BY_OPENFAAS = "error finding function"
"""How the gateway's own 404 begins, which it gives when it cannot ask its provider about a function."""


class DeployedFunction:
    """A function that is deployed already.

    Args:
        function: how it is called; its name may be ``name.namespace``.
        gateway: where it is deployed.
        namespace: used where the name has none; the gateway's own if both are left out.
        timeout_s: how long a call of a function that is awake may take.
    """

    def __init__(self, function: FunctionConfig, gateway: Gateway, *, namespace: str | None, timeout_s: float) -> None:
        self.name = function.name
        plain, _, own_namespace = function.name.rpartition(".")
        self._plain_name = plain or function.name
        self._namespace = own_namespace if plain else namespace
        self._path = f"/function/{self._plain_name}" + (f".{self._namespace}" if self._namespace else "")
        self._function = function
        self._gateway = gateway
        self._timeout_s = timeout_s

    @property
    def url(self) -> str:
        """Where the function is called."""
        return self._gateway.url + self._path

    def state(self) -> FunctionState:
        """Return what the gateway says of the function.

        Raises:
            PlatformError: the gateway does not know it, or does not answer as it should.
        """
        try:
            return self._gateway.state(self._plain_name, self._namespace)
        except PlatformError as error:
            raise PlatformError(f"function {self.name!r}: {error}") from error

    def preflight(self) -> None:
        """Call the function once, as the load will; one that sleeps is woken first.

        Raises:
            PlatformError: it is not there, has no ready replica, or did not answer with success in time.
        """
        self.require_ready(_COLD_START_S)
        answer = self._call(self._timeout_s)
        if not answer.ok:
            raise self._failure(f"answered its first call with {answer}: {_remedy(answer)}")

    def require_ready(self, patience_s: float) -> FunctionState:
        """Return the function's state once a replica is ready; where none is even wanted, a call wakes it.

        Raises:
            PlatformError: none was ready after ``patience_s`` (and as long again for waking it), or the gateway does
                not start one.
        """
        state = self.state()
        if state.available:
            return state
        woken = "" if state.replicas else f"; a call to wake it got {self._wake(patience_s)}"
        deadline = time.monotonic() + patience_s
        while not (state := self.state()).available:
            if not state.replicas:
                raise self._failure(f"has no replicas{woken}: scale it up, or let the gateway scale from zero")
            if time.monotonic() > deadline:
                wanted = f"has {state.replicas} replica(s), none of them ready"
                raise self._failure(f"{wanted} after {patience_s:g} s{woken}: look at its log")
            time.sleep(_POLL_S)
        return state

    def _wake(self, patience_s: float) -> str:
        # Whatever comes back, the replicas tell: a gateway that gives up on waking answers 200 with an empty body.
        try:
            return str(self._call(patience_s))
        except PlatformError as error:
            return str(error)

    def _call(self, timeout_s: float) -> Answer:
        call = self._function
        try:
            return self._gateway.invoke(
                self._path, method=call.method, body=call.body, headers=call.headers, timeout_s=timeout_s
            )
        except NoAnswerError as error:
            raise PlatformError(f"function {self.name!r}: {error}") from error

    def _failure(self, problem: str) -> PlatformError:
        return PlatformError(f"function {self.name!r} at {self.url} {problem}")


def _remedy(answer: Answer) -> str:
    """Say what a failed call means and what to do about it."""
    if answer.status == 404 and answer.text.startswith(_BY_OPENFAAS):
        return "the gateway cannot ask its function provider (faas-netes, faasd) for it; look at the provider's log"
    if answer.status in range(300, 400):
        return (
            f"redirects (to {answer.headers.get('location')!r}) are not followed; correct gateway_url or the function"
        )
    return _REMEDIES.get(answer.status) or (
        "look at the function's log" if answer.status >= 500 else "correct its method, body or headers"
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
